package userdata

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
)

// Documents put together at random from what people write, and get wrong, in MIME messages: lines of headers, boundaries and
// parts in any order. Row U03.
func TestPeerMakesTheSameOfRandomMessages(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []sample
	for range 1000 {
		all = append(all, sample{data: randomMessage(random)})
	}
	failures := 0
	for i, peer := range askPeer(t, all) {
		if peer.Error != "" {
			continue // the peer's boot would end here
		}
		ok := t.Run("", func(t *testing.T) {
			got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(all[i].data)}, Outside{})
			if err != nil {
				t.Fatal(err)
			}
			got.Problems = nil // they are compared elsewhere
			peer.Warnings = nil
			compare(t, got, peer)
			if t.Failed() {
				t.Logf("the message is %q", all[i].data)
			}
		})
		if failures += map[bool]int{false: 1}[ok]; failures == 5 {
			t.Fatal("there are too many differences")
		}
	}
}

// words are the pieces of random messages. Those at the beginning are the most likely.
var words = []string{
	"--b\n", "--b\n", "\n", "\n", "Content-Type: text/cloud-config\n", "#cloud-config\n", "a: 1\n", "--c\n", "--b--\n", "--c--\n",
	"Content-Type: multipart/mixed; boundary=c\n", "Content-Type: multipart/mixed; boundary=\"b\"\n", "#!/bin/sh\n",
	"Content-Type: text/x-shellscript; name=x\n", "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n",
	"IyEvYmluL3NoCg==\n", "I2Nsb3VkLWNvbmZpZwp4OiAxCg\n", "=23cloud-config\ny:=201=\n", " continued\n",
	"Launch-Index: 1\n", "Content-Disposition: attachment; filename=\"a \\\"b; c\"\n", "Content-Disposition: attachment;\n filename = d/e\n",
	"content-type : text/plain\n", "Content-Type: TEXT/PLAIN; charset=us-ascii\n", "Content-Type: text\n", "Content-Type: a/b/c\n", "--b \t\n",
	"--bb\n", "-- b\n", "--b", "\r\n", "\r", "--b\r\n", "Content-Type: text/cloud-boothook\n", "#cloud-config-archive\n- 'b: 1'\n",
	"Merge-Type: list(append)+dict(recurse_array)+str()\n", "l: [1]\n", "l: [2, 3]\n", "merge_how: str(append)+dict()\n", "Content-Type: application/octet-stream\n",
	"X-Long: a, b;  \n  c \n d\n", "name without colon\n", "=\n", "==3D=ZZ=4\n", "====\n", "A===\n", "Content-Type:\n text/cloud-config\n",
}

func randomMessage(random *rand.Rand) string {
	var out strings.Builder
	out.WriteString("MIME-Version: 1.0\n")
	if random.IntN(4) > 0 {
		out.WriteString("Content-Type: multipart/mixed; boundary=b\n\n--b\n")
	}
	for range random.IntN(25) {
		out.WriteString(words[min(random.IntN(len(words)), random.IntN(len(words)+20))])
	}
	return out.String()
}
