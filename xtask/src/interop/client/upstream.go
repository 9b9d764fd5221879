package main

import (
	"fmt"
	"net/http"
	"sort"
	"strings"
)

// upstream answers every request with the headers that it has received.
func upstream() error {
	return http.ListenAndServe(setting("ADDRESS"), http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		var lines []string
		for name, values := range request.Header {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
		sort.Strings(lines)
		fmt.Fprintf(answer, "upstream %s\n%s\n", request.URL.Path, strings.Join(lines, "\n"))
	}))
}
