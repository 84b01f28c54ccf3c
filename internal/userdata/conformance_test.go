package userdata

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// shared is a folder of the peers' own test data, which is not part of this project.
func shared(t testing.TB, name string) string {
	t.Helper()
	folder := filepath.Join("../../../shared/conformance", name)
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the peers' test data is not there: %v", err)
	}
	return folder
}

// Row U15: which parts are for which machine of a launch (cloud-init, tests/unittests/filters/test_launch_index.py).
func TestLaunchIndexOfPeersData(t *testing.T) {
	folder := shared(t, "multipart")
	for _, test := range []struct {
		file  string
		index int
		parts int
	}{
		{"filter_cloud_multipart_2.email", 3, 1}, {"filter_cloud_multipart_2.email", 2, 2}, {"filter_cloud_multipart_2.email", -1, 0},
		{"filter_cloud_multipart_header.email", 5, 1}, {"filter_cloud_multipart_header.email", -1, 0},
		{"filter_cloud_multipart_1.email", 2, 1}, {"filter_cloud_multipart_1.email", -1, 0},
		{"filter_cloud_multipart.yaml", 2, 2}, {"filter_cloud_multipart.yaml", 3, 2}, {"filter_cloud_multipart.yaml", 1, 2},
		{"filter_cloud_multipart.yaml", 0, 1}, {"filter_cloud_multipart.yaml", 4, 1}, {"filter_cloud_multipart.yaml", 7, 0},
		{"filter_cloud_multipart.yaml", -1, 0}, {"filter_cloud_multipart.yaml", 100, 0},
		{"user_data.1.txt", 0, 1},
	} {
		text, err := os.ReadFile(filepath.Join(folder, test.file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Process(context.Background(), Document{Name: "user-data", Data: text, LaunchIndex: &test.index}, Outside{})
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, p := range got.Parts {
			if p.Outcome != Skipped {
				left++
			}
		}
		if left != test.parts {
			t.Errorf("%s with index %d: want %d parts, have %v", test.file, test.index, test.parts, got.Parts)
		}
	}
}

// The documented examples are what people copy: they must come to the same as with the peer.
func TestPeerMakesTheSameOfItsExamples(t *testing.T) {
	var all []sample
	for _, pattern := range []string{"cloud-config/examples/*.txt", "multipart/*", "merge/source*.yaml"} {
		names, err := filepath.Glob(filepath.Join(shared(t, path.Dir(pattern)), path.Base(pattern)))
		if err != nil || len(names) == 0 {
			t.Fatalf("there are no examples %s: %v", pattern, err)
		}
		for _, name := range names {
			switch filepath.Base(name) {
			case "include.txt", "include-once.txt", "part-handler.txt", "part-handler-v2.txt":
				continue // the peer would fetch, and runs part handlers
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, sample{name: filepath.Base(name), data: string(text)})
		}
	}
	for i, peer := range askPeer(t, all) {
		t.Run(all[i].name, func(t *testing.T) {
			if peer.Error != "" {
				t.Fatalf("the peer cannot read the example: %s", peer.Error)
			}
			got, err := Process(context.Background(), Document{Name: "user-data", Data: []byte(all[i].data)}, Outside{})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, got, peer)
		})
	}
}
