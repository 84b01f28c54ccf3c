package machine

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// Row D14. A person names labels in the order in which they are wanted, and the last device counts before the first: another
// choice boots another seed.
func TestWithLabel(t *testing.T) {
	devices := []Device{{Path: "/dev/vdc", Label: "new"}, {Path: "/dev/vdc", Label: "old"}, {Path: "/dev/vdb"}, {Path: "/dev/vda", Label: "new"}}
	for _, c := range []struct {
		labels []string
		want   string
	}{
		{nil, "[{/dev/vdc new  } {/dev/vdc old  } {/dev/vdb   } {/dev/vda new  }]"},
		{[]string{"new"}, "[{/dev/vdc new  } {/dev/vda new  }]"},
		{[]string{"old", "new"}, "[{/dev/vdc old  } {/dev/vda new  }]"},
		{[]string{"none"}, "[]"},
	} {
		if got := fmt.Sprint(WithLabel(devices, c.labels...)); got != c.want {
			t.Errorf("%q chooses %s, want %s", c.labels, got, c.want)
		}
	}
}

// What was read at once must say what reading it again would say, at the end of a short device too.
func TestHead(t *testing.T) {
	for _, size := range []int{0, 100, headSize, headSize + 100} {
		disk := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		whole, h := bytes.NewReader(disk), readHead(bytes.NewReader(disk))
		for _, at := range []int{0, 1, 95, headSize - 5, headSize, headSize + 95, 2 * headSize} {
			want, got := make([]byte, 10), make([]byte, 10)
			n, err := whole.ReadAt(want, int64(at))
			m, failure := h.ReadAt(got, int64(at))
			if n != m || (err == io.EOF) != (failure == io.EOF) || !bytes.Equal(got, want) {
				t.Errorf("of %d bytes, 10 at %d are %q, %v; want %q, %v", size, at, got[:m], failure, want[:n], err)
			}
		}
	}
}
