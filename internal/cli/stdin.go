package cli

import "context"

// readWithin returns what read does, or the error of ctx if that ends first. A
// read of standard input cannot be ended: one that was given up goes on until the
// process ends.
func readWithin[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		of  T
		err error
	}
	results := make(chan result, 1)
	go func() {
		of, err := read()
		results <- result{of, err}
	}()
	select {
	case r := <-results:
		return r.of, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
