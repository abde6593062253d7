// Package apispec holds the traffic of tests against the OpenAPI document of
// the daemon, docs/api/openapi.yaml.
//
// Load the document with [Load], put a [Spec.Proxy] between the clients and the
// daemon, and ask [Spec.Unseen] at the end what is described and never came.
// The proxy changes nothing that a client could see, and passes streams on
// frame by frame. What does not go through a proxy, such as a request that no
// client library would send, is handed to [Spec.Check].
//
// An exchange is in order if its status is described for its operation, its
// headers and body are as described there, the code of an error is one of the
// response's x-codes, and, where the daemon accepted the request, the request is
// as described too. The events of a stream are held against the schema that
// x-sse-data names. Exchanges that are no operation of the document have their
// answers described under x-no-operation.
package apispec
