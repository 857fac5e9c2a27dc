package grant

import "errors"

// ErrNotFound says that the ledger has no such row, or nothing to do for it.
var ErrNotFound = errors.New("not found")

// ErrOvertaken says that something newer is owed than what was to be done.
var ErrOvertaken = errors.New("overtaken: something newer is owed")

// ErrBusy says that another worker has what is needed; trying again soon is all.
var ErrBusy = errors.New("busy: another worker is at it")

// ErrExists says that what was to be made is there already.
var ErrExists = errors.New("exists already")

// ErrUsedUp says that something was used as often as it may be.
var ErrUsedUp = errors.New("used up")
