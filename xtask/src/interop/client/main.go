// The client of `cargo xtask interop`: a relying party on go-oidc, and a browser for sign-ins.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("commands: discovery, sign-in, id-token, browse, forgotten, reset, upstream")
	}
	switch arguments[0] {
	case "discovery":
		return discovery()
	case "sign-in":
		return signIn()
	case "id-token":
		tokens, _, err := tokens()
		if err != nil {
			return err
		}
		fmt.Println(tokens.Extra("id_token"))
		return nil
	case "browse":
		return browse()
	case "forgotten":
		return forgotten()
	case "reset":
		return reset()
	case "upstream":
		return upstream()
	}
	return fmt.Errorf("there is no command %q", arguments[0])
}

// setting reads a variable that the command has to have.
func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		fmt.Fprintln(os.Stderr, name+" is missing")
		os.Exit(2)
	}
	return value
}

func configuration(provider *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     setting("CLIENT_ID"),
		ClientSecret: os.Getenv("CLIENT_SECRET"),
		Endpoint:     provider.Endpoint(),
		RedirectURL:  setting("REDIRECT_URI"),
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email", "groups"},
	}
}

const nonce = "a-nonce-of-the-interoperability-run"

// tokens signs in by the authorization code flow with PKCE.
func tokens() (*oauth2.Token, *oidc.Provider, error) {
	provider, err := oidc.NewProvider(context.Background(), setting("ISSUER"))
	if err != nil {
		return nil, nil, err
	}
	config, verifier, state := configuration(provider), oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	visitor, err := newBrowser(config.RedirectURL)
	if err != nil {
		return nil, nil, err
	}
	address := config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	landing, err := visitor.signIn(address, setting("USERNAME"), setting("PASSWORD"))
	if err != nil {
		return nil, nil, err
	}
	query := landing.url.Query()
	if !strings.HasPrefix(landing.url.String(), config.RedirectURL) || query.Get("code") == "" {
		return nil, nil, fmt.Errorf("the sign-in has ended at %s with status %d: %.400s", landing.url.Path, landing.status, landing.body)
	}
	if query.Get("state") != state {
		return nil, nil, errors.New("the state is another one")
	}
	found, err := config.Exchange(context.Background(), query.Get("code"), oauth2.VerifierOption(verifier))
	return found, provider, err
}

// discovery reads the metadata and keys of the provider, which go-oidc compares with the issuer.
func discovery() error {
	provider, err := oidc.NewProvider(context.Background(), setting("ISSUER"))
	if err != nil {
		return err
	}
	var metadata struct {
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := provider.Claims(&metadata); err != nil {
		return err
	}
	// another spelling of the issuer is another issuer
	if _, err := oidc.NewProvider(context.Background(), setting("ISSUER")+"/"); err == nil {
		return errors.New("an issuer with a slash at its end is accepted")
	}
	fmt.Printf("ID tokens signed by %s\n", strings.Join(metadata.Algorithms, ", "))
	return nil
}

// signIn verifies the ID token of a sign-in and reads the claims at the userinfo endpoint.
func signIn() error {
	found, provider, err := tokens()
	if err != nil {
		return err
	}
	raw, _ := found.Extra("id_token").(string)
	verifier := provider.Verifier(&oidc.Config{ClientID: setting("CLIENT_ID")})
	token, err := verifier.Verify(context.Background(), raw)
	if err != nil {
		return err
	}
	if token.Nonce != nonce {
		return fmt.Errorf("the nonce is %q", token.Nonce)
	}
	if err := token.VerifyAccessToken(found.AccessToken); err != nil {
		return err
	}
	if err := refusals(provider, verifier, raw); err != nil {
		return err
	}
	user, err := provider.UserInfo(context.Background(), oauth2.StaticTokenSource(found))
	if err != nil {
		return err
	}
	var claims struct {
		Name string `json:"preferred_username"`
	}
	if err := user.Claims(&claims); err != nil {
		return err
	}
	if user.Subject != token.Subject || claims.Name != setting("USERNAME") {
		return fmt.Errorf("userinfo has %q, %q; the ID token has %q", user.Subject, claims.Name, token.Subject)
	}
	if _, err := provider.UserInfo(context.Background(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "other"})); err == nil {
		return errors.New("userinfo answers for a token that does not exist")
	}
	fmt.Printf("verified for %s, userinfo has the same subject\n", claims.Name)
	return nil
}

// refusals makes sure that the verifier would notice a token for another client, and a changed one.
func refusals(provider *oidc.Provider, verifier *oidc.IDTokenVerifier, raw string) error {
	if _, err := provider.Verifier(&oidc.Config{ClientID: "another-client"}).Verify(context.Background(), raw); err == nil {
		return errors.New("the token is accepted for another client")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(parts[2]) < 10 {
		return errors.New("the ID token is no JWS")
	}
	first := "A"
	if strings.HasPrefix(parts[2], "A") {
		first = "B"
	}
	parts[2] = first + parts[2][1:]
	if _, err := verifier.Verify(context.Background(), strings.Join(parts, ".")); err == nil {
		return errors.New("a changed signature is accepted")
	}
	return nil
}

// browse opens a page as a user who signs in on the way, and prints where it has come to. A second browser does not sign in: it
// has to end at the sign-in.
func browse() error {
	stranger, err := newBrowser("")
	if err != nil {
		return err
	}
	refused, err := stranger.open(http.MethodGet, setting("URL"), nil)
	if err != nil {
		return err
	}
	if !strings.Contains(refused.body, `name="password"`) {
		return fmt.Errorf("without a sign-in %s answers %d: %.400s", refused.url, refused.status, refused.body)
	}
	visitor, err := newBrowser("")
	if err != nil {
		return err
	}
	found, err := visitor.signIn(setting("URL"), setting("USERNAME"), setting("PASSWORD"))
	if err != nil {
		return err
	}
	fmt.Printf("%d %s\n%s\n", found.status, found.url, found.body)
	return nil
}

// forgotten asks for a mail with a link.
func forgotten() error {
	visitor, err := newBrowser("")
	if err != nil {
		return err
	}
	form, err := visitor.open(http.MethodGet, setting("ISSUER")+"/signin/v1/forgotten", nil)
	if err != nil {
		return err
	}
	sent, err := visitor.submit(form, "username", url.Values{"username": {setting("USERNAME")}})
	if err != nil {
		return err
	}
	if sent.status != http.StatusOK {
		return fmt.Errorf("the answer is %d: %.400s", sent.status, sent.body)
	}
	return nil
}

var links = regexp.MustCompile(`https?://[^\s"<>]+`)

// reset sets a new password by the link in a mail.
func reset() error {
	visitor, err := newBrowser("")
	if err != nil {
		return err
	}
	for _, link := range links.FindAllString(setting("MAIL"), -1) {
		if !strings.HasPrefix(link, setting("ISSUER")) {
			continue
		}
		form, err := visitor.open(http.MethodGet, link, nil)
		if err != nil {
			return err
		}
		// the login name is asked for in another browser than that of the request
		password := setting("NEW_PASSWORD")
		done, err := visitor.submit(form, "new", url.Values{"new": {password}, "username": {setting("USERNAME")}})
		if err != nil {
			return err
		}
		if done.status != http.StatusOK {
			return fmt.Errorf("the answer is %d: %.400s", done.status, done.body)
		}
		return nil
	}
	return errors.New("the mail has no link to the issuer")
}
