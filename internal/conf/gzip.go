package conf

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Gunzip is what gzip packed, if it is no more than limit bytes: a small packed text may stand for a huge one.
func Gunzip(packed string, limit int64) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader([]byte(packed)))
	if err != nil {
		return "", fmt.Errorf("unpack gzip data: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(text)) > limit:
		return "", fmt.Errorf("unpack gzip data: it unpacks to more than %d MiB", limit>>20)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "", errors.New("unpack gzip data: it ends too early; was it cut off on its way?")
	case err != nil:
		return "", fmt.Errorf("unpack gzip data: %w", err)
	}
	return string(text), nil
}

// IsGzip says that data begins as gzip's does.
func IsGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }
