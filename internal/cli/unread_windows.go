package cli

import (
	"context"
	"io"
)

// untilUnread ends with ctx alone, as Windows has no way to see that a reader has
// gone but writing.
func untilUnread(ctx context.Context, _ io.Writer) (_ context.Context, stop func()) {
	return context.WithCancel(ctx)
}
