// Package promtext writes metrics in the Prometheus text format. A library
// would do more and be linked into every command.
package promtext
