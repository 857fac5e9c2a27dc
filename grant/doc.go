// Package grant has the nouns of fulfilment and the one rule that matters:
// what a customer is owed (see [Owed]).
//
// It knows neither wire, database, queue nor provider, imports the standard
// library only, and may be imported by every other package.
package grant
