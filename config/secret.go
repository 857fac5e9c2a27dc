package config

import "fulfilld/internal/secret"

// Secret is text that never prints itself. Any type with its SetSecret method is
// filled and redacted as it is.
type Secret = secret.Text

// NewSecret keeps text as a secret.
func NewSecret(text string) Secret { return secret.New(text) }
