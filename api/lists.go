package api

// The lists of the native surface. Each is an object, so that fields can be
// added beside the list.

// LoginList is the answer to GET /v1/logins: logins in their public form.
type LoginList struct {
	Logins []Login `json:"logins"`
}

// CredentialList is the answer to GET /v1/credentials.
type CredentialList struct {
	Credentials []Credential `json:"credentials"`
}

// ProviderList is the answer to GET /v1/providers.
type ProviderList struct {
	Providers []Provider `json:"providers"`
}
