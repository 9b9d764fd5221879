// Verifies transaction tokens. Each line of the input stands for a request: the values of its header Txn-Token.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maxToken  = 16 << 10
	maxKeySet = 64 << 10
	leeway    = 5                // seconds
	maxLife   = 300              // seconds
	fresh     = time.Minute * 10 // the keys are fetched again
	usable    = time.Hour * 24   // while the address of the keys is away
	pause     = time.Second * 10 // between two requests for the keys
)

var unpadded = base64.RawURLEncoding.Strict()

// Claims of a transaction token. A claim of another type, as a list of audiences, is an error.
type Claims struct {
	Issuer      string          `json:"iss"`
	Audience    string          `json:"aud"`
	Transaction string          `json:"txn"`
	Subject     string          `json:"sub"`
	Scope       string          `json:"scope"`
	Requesters  string          `json:"req_wl"` // joined by commas; the last one has requested this token
	Details     json.RawMessage `json:"tctx"`
	Context     json.RawMessage `json:"rctx"`
	Issued      int64           `json:"iat"`
	Expires     int64           `json:"exp"`
}

type header struct {
	Type      string          `json:"typ"`
	Algorithm string          `json:"alg"`
	Key       string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"`
}

// Verify returns the claims if there is exactly one value, which is a valid token for this scope in the trust domain.
func Verify(values []string, keys *Keys, domain, scope string, now int64) (*Claims, error) {
	if len(values) != 1 || len(values[0]) > maxToken {
		return nil, errors.New("not one token")
	}
	parts := strings.Split(values[0], ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	var head header
	if err := decode(parts[0], &head); err != nil {
		return nil, err
	}
	if head.Type != "txntoken+jwt" || head.Critical != nil || head.Key == "" {
		return nil, errors.New("not a transaction token")
	}
	key, err := keys.find(head.Key)
	if err != nil {
		return nil, err
	}
	signature, err := unpadded.DecodeString(parts[2])
	if err != nil || !isSigned(key, head.Algorithm, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("wrong signature")
	}
	var claims Claims
	if err := decode(parts[1], &claims); err != nil {
		return nil, err
	}
	if err := check(&claims, domain, scope, now); err != nil {
		return nil, err
	}
	return &claims, nil
}

func check(claims *Claims, domain, scope string, now int64) error {
	switch {
	case claims.Audience != domain || claims.Issuer != domain:
		return errors.New("another trust domain")
	case claims.Issued <= 0 || claims.Expires <= 0 || claims.Expires-claims.Issued > maxLife:
		return errors.New("no lifetime, or too long")
	case claims.Expires+leeway <= now:
		return errors.New("expired")
	case claims.Issued-leeway > now:
		return errors.New("not yet valid")
	case claims.Transaction == "" || claims.Subject == "" || claims.Requesters == "":
		return errors.New("a claim is missing")
	}
	for _, granted := range strings.Fields(claims.Scope) {
		if granted == scope {
			return nil
		}
	}
	return errors.New("another scope")
}

// isSigned verifies with the algorithm of the key; the header has to name the same.
func isSigned(key any, algorithm string, message, signature []byte) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		if algorithm != "ES256" || len(signature) != 64 {
			return false
		}
		digest := sha256.Sum256(message)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(key, digest[:], r, s)
	case ed25519.PublicKey:
		return algorithm == "EdDSA" && ed25519.Verify(key, message, signature)
	}
	return false
}

// Keys of the trust domain, by their identifiers.
type Keys struct {
	URL            string
	mutex          sync.Mutex
	known          map[string]any
	tried, fetched time.Time
}

// find fetches the keys again if they are old, or if this one is unknown: the signing key changes every day.
func (keys *Keys) find(name string) (any, error) {
	keys.mutex.Lock()
	defer keys.mutex.Unlock()
	since := time.Since(keys.tried)
	if keys.known[name] == nil && since >= pause || since >= fresh {
		keys.tried = time.Now()
		if err := keys.fetch(); err != nil {
			fmt.Fprintln(os.Stderr, "the keys cannot be fetched:", err)
		}
	}
	if time.Since(keys.fetched) > usable {
		return nil, errors.New("the keys are not known") // answer 503, not 401
	}
	if key := keys.known[name]; key != nil {
		return key, nil
	}
	return nil, errors.New("unknown key")
}

func (keys *Keys) fetch() error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(keys.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	var set struct{ Keys []jwk }
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxKeySet)).Decode(&set); err != nil {
		return err
	}
	known := map[string]any{}
	for _, key := range set.Keys {
		if public := key.public(); public != nil && key.Kid != "" {
			known[key.Kid] = public
		}
	}
	keys.known, keys.fetched = known, time.Now()
	return nil
}

type jwk struct{ Kid, Kty, Crv, X, Y string }

// public is nil for keys of other types.
func (key jwk) public() any {
	x, errX := unpadded.DecodeString(key.X)
	y, errY := unpadded.DecodeString(key.Y)
	switch {
	case errX != nil || errY != nil || len(x) != 32:
		return nil
	case key.Kty == "EC" && key.Crv == "P-256" && len(y) == 32:
		return &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
	case key.Kty == "OKP" && key.Crv == "Ed25519":
		return ed25519.PublicKey(x)
	}
	return nil
}

func decode(part string, into any) error {
	text, err := unpadded.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func main() {
	keys, domain, scope := &Keys{URL: os.Args[1]}, os.Args[2], os.Args[3]
	for lines := bufio.NewReaderSize(os.Stdin, 4*maxToken); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		// in a handler the values are request.Header.Values("Txn-Token")
		claims, err := Verify(strings.Fields(line), keys, domain, scope, time.Now().Unix())
		if err != nil {
			fmt.Println("refused:", err)
			continue
		}
		fmt.Println(claims.Subject, claims.Scope, claims.Requesters)
	}
}
