package boot

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// Row M29. A cloud that has only EC2's tree of 2009-04-04 gives the machine its key when it is up: who made the machine can log in
// all the same, and the boot did not wait for it.
func TestLateKey(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGkc4ICx3Td8MSJnZGvsuWtqLZ6DkJjWcTHO3HvCTK2h alice@desk"
	const at = "/2009-04-04/meta-data/"
	pages := map[string]string{at: "instance-id\nlocal-hostname\n", at + "instance-id": "i-00000042", at + "local-hostname": "web1", "/2009-04-04/user-data": "#cloud-config\n{}\n"}
	var asked atomic.Int32
	s := open(t, "")
	s.sh("rm -r /var/lib/cloud/seed/nocloud; ip link set lo up && ip addr add 169.254.169.254/32 dev lo")
	s.write("/usr/bin/udevadm", "#!/bin/sh\n") // there is no udev that could read its rules again
	s.sh("chmod 755 /usr/bin/udevadm")
	s.config("99-cloud", "datasource_list: [Ec2]\ndatasource: {Ec2: {strict_id: false, max_wait: 10, timeout: 5, key_retries: 20, sec_between_key_retries: 0.2}}\n")
	l, err := s.listen("169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, there := pages[r.URL.Path]
		if r.URL.Path == at+"public-keys/0/openssh-key" {
			page, there = key, asked.Add(1) > 2
		}
		if !there {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, page)
	})}
	t.Cleanup(func() { server.Close() })
	go server.Serve(l) // the test's end closes it
	s.mustBoot()
	if id := s.read("/var/lib/cloud/data/instance-id"); id != "i-00000042\n" {
		t.Errorf("the instance is %q", id)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("the key was asked for %d times, want 3", n)
	}
	if keys := s.read("/home/debian/.ssh/authorized_keys"); !strings.Contains(keys, key) {
		t.Errorf("the default user's keys are %q", keys)
	}
	log := s.read("/var/log/cloud-init.log")
	ended, came := strings.Index(log, "finish: modules-final"), strings.Index(log, "the cloud's keys are there now")
	if !strings.Contains(log, "no key for this machine yet (try 2 of 20)") || ended < 0 || came < ended {
		t.Errorf("the log tells it otherwise:\n%s", log)
	}
}
