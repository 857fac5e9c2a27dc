package fulfillers

import (
	"context"
	"strings"
	"sync"
)

type remarksKey struct{}

type remarks struct {
	mu    sync.Mutex
	texts []string
}

// WithRemarks returns a context that takes remarks, and what reads them.
func WithRemarks(ctx context.Context) (context.Context, func() string) {
	r := new(remarks)
	return context.WithValue(ctx, remarksKey{}, r), func() string {
		r.mu.Lock()
		defer r.mu.Unlock()
		return strings.Join(r.texts, "\n")
	}
}

// Remark says what people should know of a call that succeeds: it stands in the
// grant's journal and in the log. It holds no secret and no address.
func Remark(ctx context.Context, text string) {
	if r, ok := ctx.Value(remarksKey{}).(*remarks); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.texts = append(r.texts, text)
	}
}
