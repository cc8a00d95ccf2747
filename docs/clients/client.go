// A client of a Countersign room: go run client.go BUNDLE HOST PORT
//
// Sends the lines of standard input, and prints what the server sends. Needs Go 1.19 and nothing else.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fail("usage: go run client.go BUNDLE HOST PORT")
	}
	host, port := os.Args[2], os.Args[3]
	text, err := os.ReadFile(os.Args[1])
	check(err)
	own, err := tls.X509KeyPair(text, text)
	check(err)
	leaf, err := x509.ParseCertificate(own.Certificate[0])
	check(err)
	// Checks the server's CA, its name (host), its dates and its purpose, and presents our certificate.
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	link, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort(host, port), &tls.Config{
		Certificates: []tls.Certificate{own},
		RootCAs:      authority(text),
		ServerName:   host,
		MinVersion:   tls.VersionTLS13,
	})
	check(err)
	greeted := false
	lines := bufio.NewReaderSize(link, 65536) // longer than any line of a server
	for {
		// A whole line, however its bytes arrive. At the end of the stream the rest is no line.
		read, err := lines.ReadSlice('\n')
		check(err)
		line := strings.TrimRight(string(read), "\r\n")
		if !greeted && strings.HasPrefix(line, "!") {
			fail(line)
		}
		fmt.Println(line)
		if !greeted && strings.HasPrefix(line, "= welcome ") {
			if !strings.Contains(line+" ", " id="+leaf.Subject.CommonName+" ") {
				fail("the server calls us by another name")
			}
			greeted = true // from here on we are in the room, and not before
			go sendTyped(link)
		}
		if strings.HasPrefix(line, "= bye ") {
			return
		}
	}
}

// authority returns the CA in a bundle: the certificate that is a CA's.
func authority(text []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			certificate, err := x509.ParseCertificate(block.Bytes)
			check(err)
			if certificate.IsCA {
				pool.AddCert(certificate)
			}
		}
	}
	return pool
}

// sendTyped sends what is typed, and says /quit at the end. If that fails, the reading end says why.
func sendTyped(link io.Writer) {
	typed := bufio.NewScanner(os.Stdin)
	for typed.Scan() {
		fmt.Fprintf(link, "%s\n", typed.Text())
	}
	fmt.Fprint(link, "/quit\n")
}

func check(err error) {
	if err == io.EOF {
		fail("the server closed the connection")
	} else if err != nil {
		fail(err.Error())
	}
}

func fail(words string) {
	fmt.Fprintln(os.Stderr, words)
	os.Exit(1)
}
