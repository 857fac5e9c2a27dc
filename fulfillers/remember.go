package fulfillers

import (
	"context"

	"fulfilld/grant"
)

type memoryKey struct{}

// WithMemory returns a context in which [Remember] calls keep.
func WithMemory(ctx context.Context, keep func(context.Context, grant.Properties) error) context.Context {
	return context.WithValue(ctx, memoryKey{}, keep)
}

// Remember stores what Grant would return, before it returns: what it is about to
// do, where a process that is killed meanwhile could not tell from what it finds
// that it was this one's doing. With an error nothing is stored, or the lease is
// lost: then it must not be done.
func Remember(ctx context.Context, p grant.Properties) error {
	if keep, ok := ctx.Value(memoryKey{}).(func(context.Context, grant.Properties) error); ok {
		return keep(ctx, p)
	}
	return nil
}
