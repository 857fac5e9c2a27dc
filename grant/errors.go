package grant

import "errors"

// ErrNotFound says that the ledger has no such row, or nothing to do for it.
var ErrNotFound = errors.New("not found")
