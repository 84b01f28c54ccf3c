package network

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"openguest/internal/machine"
)

// TestFallbackIsThePeers makes up machines and compares the interface that is taken with cloud-init's. A machine that takes
// another one may be out of reach.
// Row N10.
func TestFallbackIsThePeers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var questions []question
	for range 400 {
		questions = append(questions, question{Renderer: "fallback", Sys: randomCards(random)})
	}
	for i, a := range askPeer(t, questions) {
		text := ""
		for _, name := range slices.Sorted(maps.Keys(questions[i].Sys)) {
			at, content := path.Join("sys/class/net", name), questions[i].Sys[name]
			if target, ok := strings.CutPrefix(content, "-> "); ok {
				text += "-- " + at + " -> " + path.Join("/", path.Dir(at), target) + " --\n"
			} else {
				text += "-- " + at + " --\n" + content + "\n"
			}
		}
		m := machine.Fake(text, time.Unix(0, 0))
		var got any
		if document, _ := Fallback(m.Facts.NICs()); document != nil {
			got = document.Data()
		}
		var want any
		if a.State != nil {
			want = a.State
		}
		if d := cmp.Diff(clean(want), clean(got)); d != "" || a.Error != "" {
			t.Errorf("%s: (- cloud-init %s, + ours)\n%s", text, a.Error, d)
		}
	}
}

// randomCards are the files of some network cards, as the kernel shows them.
func randomCards(random *rand.Rand) map[string]string {
	files := map[string]string{"lo/address": "00:00:00:00:00:00", "lo/type": "772", "lo/operstate": "unknown", "lo/carrier": "1"}
	one := func(words ...string) string { return words[random.IntN(len(words))] }
	names := []string{"eth0", "eth1", "eth10", "ens3", "ens10", "enp0s3", "veth7", "br0", "bond0", "wlan0", "ETH2"}
	random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	names = names[:1+random.IntN(5)]
	for i, name := range names {
		put := func(file, text string) { files[name+"/"+file] = text }
		put("type", "1")
		put("address", fmt.Sprintf("52:54:00:00:00:%02x", random.IntN(3*(i+1))))
		put("operstate", one("up", "down", "dormant", "lowerlayerdown", "notpresent", "unknown"))
		put("carrier", one("0", "1"))
		put("dormant", one("0", "0", "1"))
		put("addr_assign_type", one("0", "1", "2", "3"))
		made := random.IntN(8)
		if random.IntN(2) == 0 && made != 1 && made != 2 {
			put("device/driver", "-> ../../../../bus/drivers/"+one("virtio_net", "virtio_net", "hv_netvsc", "mlx5_core"))
			put("device/features", strings.Repeat("0", 62)+one("0", "1")+"0")
		}
		switch made {
		case 0:
			put("master", "-> ../"+names[0])
		case 1:
			put("bridge/bridge_id", "x")
		case 2:
			put("bonding/mode", "x")
		}
	}
	return files
}
