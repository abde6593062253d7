package usher_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/usherauth/usher"
	"github.com/usherauth/usher/api"
	"github.com/usherauth/usher/secret"
	"github.com/usherauth/usher/server"
)

// exampleClient is a client of a daemon that knows the credential "github". In
// a program of yours the fields come from its configuration.
func exampleClient() (c *usher.Client, b *broker, stop func()) {
	b = newBroker()
	front := httptest.NewUnstartedServer(nil)
	s, err := server.New(server.Config{Broker: b, Token: secret.New(bearer)})
	if err != nil {
		log.Fatal(err)
	}
	front.Config.Handler = s.Handler(front.Listener.Addr(), false)
	front.Start()
	return &usher.Client{BaseURL: front.URL, Bearer: secret.New(bearer)}, b, func() {
		front.CloseClientConnections()
		front.Close()
	}
}

// Ask for a token right before it is used.
func ExampleClient_Token() {
	c, _, stop := exampleClient()
	defer stop()

	token, err := c.Token(context.Background(), usher.TokenRequest{Key: "github", MinTTL: 60})
	if errors.Is(err, usher.ErrLoginNeeded) {
		log.Fatal("please log in: usher login github")
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Authorization:", token.TokenType, token.AccessToken)
	// Output: Authorization: Bearer at-github
}

// Show the link to a person, and wait for them to approve on any device.
func ExampleClient_Login() {
	c, b, stop := exampleClient()
	defer stop()
	ctx := context.Background()

	login, err := c.Login(ctx, "github", usher.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("open", login.VerificationURI, "and enter", login.UserCode)

	b.end(api.LoginAuthorized, nil) // what the person does

	credential, err := login.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("logged in:", credential.Key)
	// Output:
	// open https://idp.example/device and enter ABCD-1234
	// logged in: github
}

// Follow all logins and credentials of the daemon.
func ExampleClient_Events() {
	c, b, stop := exampleClient()
	defer stop()

	last := b.log.Append(api.Event{Type: api.EventLoginStarted}).ID
	b.log.Append(api.Event{Type: api.EventLoginAuthorized, Login: &api.Login{Key: "github"}})

	for e, err := range c.Events(context.Background(), last) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Type, e.Login.Key)
		break // or go on for as long as the program runs
	}
	// Output: login.authorized github
}

// Sum up what the events of a session tell, by provider.
func ExampleAuthState() {
	var state usher.AuthState
	for _, e := range []usher.SessionEvent{ // from Client.SessionEvents
		{ID: 1, Data: api.FlowStartedData{DeviceFlowID: "f-1", ProviderID: "github"}},
		{ID: 2, Data: api.FlowThrottledData{DeviceFlowID: "f-1", IntervalMs: 10000}},
		{ID: 3, Data: api.FlowFailedData{DeviceFlowID: "f-1", ErrorKind: api.KindAccessDenied}},
		{ID: 3, Data: api.FlowCancelledData{DeviceFlowID: "f-1"}}, // seen before
	} {
		state = state.Reduce(e)
	}
	fmt.Println(state.Flows["github"].Status, state.Flows["github"].ErrorKind)
	// Output: error access_denied
}
