package source

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// A smartClient speaks version 2 of the metadata protocol of SmartOS, one question after the other; see
// https://eng.tritondatacenter.com/mdata/protocol.html.
type smartClient struct {
	line   io.ReadWriteCloser
	answer *bufio.Reader
}

// openSmart opens the line, and agrees on the version. What an earlier program left on a serial line comes first: it is read
// until the host answers to nothing.
func (e *Env) openSmart(ctx context.Context, name string) (*smartClient, error) {
	line, err := e.Machine.Serial.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &smartClient{line, bufio.NewReader(line)}
	if name != zoneSocket {
		err = c.say("\n", "invalid command")
	}
	if err == nil {
		err = c.say("NEGOTIATE V2\n", "V2_OK")
	}
	if err != nil {
		line.Close()
		return nil, fmt.Errorf("agree with the host on %s: %w", name, err)
	}
	return c, nil
}

// maxSurprises is how many lines there may be before the one that is waited for.
const maxSurprises = 1000

// say writes a line, and reads until the answer comes.
func (c *smartClient) say(text, want string) error {
	answer := "FAILURE" // the host's word for: once more
	for range maxSurprises {
		var err error
		if answer == "FAILURE" {
			_, err = io.WriteString(c.line, text)
		}
		if err == nil {
			answer, err = readAnswer(c.answer)
		}
		if err != nil || strings.HasSuffix(answer, want) { // what was there before has no end
			return err
		}
	}
	return errors.New("the host says something else")
}

// get is the value of a key, and whether there is one.
func (c *smartClient) get(key string) (value string, there bool, err error) {
	number := make([]byte, 4)
	rand.Read(number)
	id := hex.EncodeToString(number)
	body := id + " GET " + base64.StdEncoding.EncodeToString([]byte(key))
	if _, err := fmt.Fprintf(c.line, "V2 %d %08x %s\n", len(body), crc32.ChecksumIEEE([]byte(body)), body); err != nil {
		return "", false, err
	}
	answer, err := readAnswer(c.answer)
	if err != nil {
		return "", false, err
	}
	return smartValue(answer, id)
}

// smartValue takes an answer apart: "V2 LENGTH CHECKSUM ID SUCCESS VALUE", or NOTFOUND.
func smartValue(answer, id string) (value string, there bool, err error) {
	words := strings.SplitN(answer, " ", 4)
	if len(words) < 4 || words[0] != "V2" {
		return "", false, fmt.Errorf("the host's answer is %.40q", answer)
	}
	body := words[3]
	if words[1] != strconv.Itoa(len(body)) || words[2] != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) {
		return "", false, errors.New("the host's answer is damaged")
	}
	fields := strings.SplitN(body, " ", 3)
	switch {
	case len(fields) < 2 || fields[0] != id:
		return "", false, errors.New("the host's answer is to another question")
	case fields[1] == "NOTFOUND":
		return "", false, nil
	case fields[1] != "SUCCESS":
		return "", false, fmt.Errorf("the host answers %.40q", fields[1])
	case len(fields) == 2:
		return "", false, nil
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(fields[2]))
	return string(plain), err == nil, err
}
