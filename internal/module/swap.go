package module

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"openguest/internal/conf"
	"openguest/internal/machine"
)

type swapKeys struct {
	Filename string       `key:"filename" default:"/swap.img" doc:"Where the file is."`
	Size     numberOrText `key:"size" doc:"How large it is: bytes, a number with K, M, G or T, or auto, which goes by the machine's memory."`
	MaxSize  numberOrText `key:"maxsize" doc:"What auto stays below; a quarter of the free room where it is not given."`
}

// numberOrText is a number, written as one or as a text.
type numberOrText = conf.Either[string, int64]

// isWanted says that there is to be a file.
func (k swapKeys) isWanted() bool {
	return k.Filename != "" && !slices.Contains([]string{"", "0", "False"}, textOf(k.Size))
}

// textOf is what was written; empty where nothing was.
func textOf(given numberOrText) string {
	if given.A == nil {
		return ""
	}
	return *given.A
}

// swapFile makes the swap file, if one is wanted, and returns its name, if it is there to be used.
func (e *Env) swapFile(k conf.Placed[swapKeys]) (name string, err error) {
	if !k.Value.isWanted() {
		return "", nil
	}
	name = path.Clean("/" + k.Value.Filename)
	err = e.Item(k.Origin, k.Path, func() error {
		if slices.Contains(e.swaps(), name) {
			e.Debug("swap file %s already in use", name)
			return nil
		}
		return e.makeSwap(name, k.Value)
	})
	if holds, _ := e.Machine.Swap.Holds(name); !holds {
		return "", err
	}
	return name, err
}

// makeSwap makes the file. One that is there and holds swap is taken as it is, whatever its size.
func (e *Env) makeSwap(name string, k swapKeys) error {
	if holds, err := e.Machine.Swap.Holds(name); err == nil && holds {
		return nil
	}
	folder := path.Dir(name)
	if err := machine.MakeFolders(e.Machine.Files, folder, machine.Folder(0o755)); err != nil {
		return err
	}
	size, err := e.swapSize(folder, k)
	if err != nil {
		return err
	}
	if size >>= 20; size == 0 {
		return Skip("Not creating swap: suggested size was 0")
	}
	_, err = e.Machine.Swap.Make(name, size<<20)
	return err
}

// swapSize is the size that is wanted, in bytes.
func (e *Env) swapSize(folder string, k swapKeys) (int64, error) {
	if size := textOf(k.Size); !strings.EqualFold(size, "auto") {
		return parseSize(size)
	}
	limit := int64(-1)
	if text := textOf(k.MaxSize); text != "" {
		var err error
		if limit, err = parseSize(text); err != nil {
			return 0, fmt.Errorf("maxsize: %w", err)
		}
	}
	memory, err := e.memory()
	if err != nil {
		return 0, err
	}
	free, err := e.Machine.Swap.Free(folder)
	if err != nil {
		return 0, err
	}
	return suggestSwap(memory, free, limit), nil
}

const gibibyte = 1 << 30

// suggestSwap is how much swap a machine gets that has so much memory, and so much room: as much as it has memory, but not
// much more than 4 GiB before it has more than 16, and never so much that the disk is full. A limit below 0 is none.
func suggestSwap(memory, free, limit int64) int64 {
	switch {
	case limit < 0:
		limit = min(free/4, memory*2)
	case float64(limit) > float64(free)*0.9:
		limit = int64(float64(free) * 0.9)
	}
	size := memory
	switch {
	case memory >= 16*gibibyte:
		size = int64(math.RoundToEven(math.Sqrt(float64(memory)/gibibyte))) * gibibyte
	case memory >= 4*gibibyte:
		size = 4 * gibibyte
	}
	return min(size, limit)
}

// memory is how many bytes of memory the machine has.
func (e *Env) memory() (int64, error) {
	text, err := e.Machine.Files.Read("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if number, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(number), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo does not say how much memory there is: give the swap file a size in bytes")
}

// sizeUnits are the letters behind a size. Whether it says K, KB or KiB, it is 1024 bytes.
var sizeUnits = map[byte]float64{'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}

// parseSize reads a size such as 2G or 512MiB.
func parseSize(text string) (int64, error) {
	number, hasIEC := strings.CutSuffix(strings.TrimSpace(text), "iB")
	if !hasIEC {
		number = strings.TrimSuffix(number, "B")
	}
	unit := 1.0
	if number != "" && sizeUnits[number[len(number)-1]] != 0 {
		unit, number = sizeUnits[number[len(number)-1]], number[:len(number)-1]
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || !(n*unit < 1<<62) {
		return 0, fmt.Errorf("%q is no size; write bytes, or a number with K, M, G or T behind, such as 2G", text)
	}
	return int64(n * unit), nil
}
