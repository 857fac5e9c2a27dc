package main

import (
	"fulfilld/fulfillers"
	"fulfilld/fulfillers/licensekeys"
)

// kinds is the list of fulfillers. A new one is its folder and its line here.
// A nil store is enough to check a config.
func kinds(store licensekeys.Store) []fulfillers.Kind {
	return []fulfillers.Kind{
		licensekeys.Kind(store),
	}
}
