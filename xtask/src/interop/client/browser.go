package main

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A browser holds cookies and submits the forms of pages.
type browser struct {
	client *http.Client
	// Where a redirect to an address below this one stops: there is no listener.
	stop string
}

// A page is an answer to a browser, after redirects.
type page struct {
	status int
	url    *url.URL
	body   string
}

var errStop = errors.New("the redirect has reached its end")

func newBrowser(stop string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	found := &browser{stop: stop}
	found.client = &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: found.follow}
	return found, nil
}

func (b *browser) follow(request *http.Request, via []*http.Request) error {
	if b.stop != "" && strings.HasPrefix(request.URL.String(), b.stop) {
		return errStop
	}
	if len(via) > 15 {
		return errors.New("more than 15 redirects")
	}
	return nil
}

// open sends a request and follows its redirects. A redirect to `stop` is returned as a page without a body.
func (b *browser) open(method, address string, form url.Values) (*page, error) {
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", request.URL.Scheme+"://"+request.URL.Host)
	}
	response, err := b.client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) && errors.Is(failed.Err, errStop) {
		location, err := response.Location()
		return &page{status: response.StatusCode, url: location}, err
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return &page{status: response.StatusCode, url: response.Request.URL, body: string(body)}, nil
}

var (
	forms      = regexp.MustCompile(`(?s)<form\b([^>]*)>(.*?)</form>`)
	inputs     = regexp.MustCompile(`<input\b[^>]*>`)
	attributes = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

func attribute(tag, name string) string {
	for _, found := range attributes.FindAllStringSubmatch(tag, -1) {
		if found[1] == name {
			return html.UnescapeString(found[2])
		}
	}
	return ""
}

// submit sends the form that has a field of this name, with its hidden fields and the given ones.
func (b *browser) submit(from *page, field string, values url.Values) (*page, error) {
	for _, form := range forms.FindAllStringSubmatch(from.body, -1) {
		if !strings.Contains(form[2], `name="`+field+`"`) {
			continue
		}
		sent := url.Values{}
		for _, input := range inputs.FindAllString(form[2], -1) {
			if attribute(input, "type") == "hidden" {
				sent.Set(attribute(input, "name"), attribute(input, "value"))
			}
		}
		for name := range values {
			sent.Set(name, values.Get(name))
		}
		target, err := from.url.Parse(attribute(form[1], "action"))
		if err != nil {
			return nil, err
		}
		return b.open(http.MethodPost, target.String(), sent)
	}
	return nil, fmt.Errorf("%s has no form with the field %q, status %d: %.400s", from.url.Path, field, from.status, from.body)
}

// signIn opens a page whose redirects end at the sign-in, and submits login name and password there.
func (b *browser) signIn(address, username, password string) (*page, error) {
	form, err := b.open(http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.submit(form, "password", url.Values{"username": {username}, "password": {password}})
}
