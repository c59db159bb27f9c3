// Go's net/http, which has no Digest; see t/clients/run for what it is
// asked.

package main

import (
    "bufio"
    "crypto/tls"
    "crypto/x509"
    "fmt"
    "net/http"
    "os"
    "runtime"
    "strings"
    "time"
)

func must(err error) {
    if err != nil {
        panic(err)
    }
}

func config(method string) *tls.Config {
    pem, err := os.ReadFile(os.Getenv("DM_CA"))
    must(err)
    made := &tls.Config{RootCAs: x509.NewCertPool()}
    made.RootCAs.AppendCertsFromPEM(pem)

    if method == "x509" {
        pair, err := tls.LoadX509KeyPair(os.Getenv("DM_CERT"),
            os.Getenv("DM_KEY"))
        must(err)
        made.Certificates = []tls.Certificate{pair}
    }

    return made
}

func ask(url, method, user, password string) string {
    if method == "digest" {
        return "0 net/http has no Digest"
    }

    request, err := http.NewRequest("GET", url, nil)
    must(err)

    if method == "basic" {
        request.SetBasicAuth(user, password)
    }

    transport := &http.Transport{TLSClientConfig: config(method)}
    client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
    response, err := client.Do(request)

    if err != nil {
        return "0 " + err.Error()
    }

    response.Body.Close()
    transport.CloseIdleConnections()

    return fmt.Sprint(response.StatusCode)
}

func main() {
    fmt.Println(strings.TrimPrefix(runtime.Version(), "go"))
    lines := bufio.NewScanner(os.Stdin)

    for lines.Scan() {
        f := strings.Split(lines.Text(), "\t")
        fmt.Println(ask(f[0], f[1], f[2], f[3]))
    }
}
