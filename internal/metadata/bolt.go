package metadata

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long another process may hold the store before we say so.
const lockWait = time.Second

var (
	objects = []byte("objects")
	counter = []byte("counter") // one key, revision
)

// A fileStore is a Store in one file. It is written and flushed before a write is acknowledged, and a write that was cut
// off leaves the file as it was before.
type fileStore struct{ db *bolt.DB }

// OpenFile opens the store in a folder, and makes both where they are missing.
func OpenFile(dir string) (Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder cannot be made: %w", err)
	}
	name := filepath.Join(dir, "metadata.db")
	db, err := bolt.Open(name, 0o600, &bolt.Options{Timeout: lockWait})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s is in use by another openguest-host; stop that one, or give another --data", name)
	case errors.Is(err, syscall.ENOSPC):
		return nil, noSpace(name, err)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be opened as a store: %w; move it away to begin anew", name, err)
	}
	s := &fileStore{db}
	return s, db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{objects, counter} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
}

// noSpace says what to do where the disk is full. What was written before is there as it was.
func noSpace(name string, err error) error {
	return fmt.Errorf("the store %s cannot be written: %w; make room there, or give another --data", name, err)
}

// Load gives all objects.
func (s *fileStore) Load(context.Context) (all []Entry, revision int64, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		revision = counted(tx)
		return tx.Bucket(objects).ForEach(func(k, v []byte) error {
			e, err := unpack(string(k), v)
			all = append(all, e)
			return err
		})
	})
	return all, revision, err
}

// Write makes all changes in one transaction.
func (s *fileStore) Write(_ context.Context, changes ...Change) (revision int64, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		revision = counted(tx) + 1
		for _, c := range changes {
			if err := change(tx.Bucket(objects), c, revision); err != nil {
				return err
			}
		}
		return tx.Bucket(counter).Put(counter, binary.BigEndian.AppendUint64(nil, uint64(revision)))
	})
	if errors.Is(err, syscall.ENOSPC) {
		err = noSpace(s.db.Path(), err)
	}
	return revision, err
}

func change(b *bolt.Bucket, c Change, revision int64) error {
	have, err := unpack(c.Key, b.Get([]byte(c.Key)))
	if err != nil {
		return err
	}
	if c.IfMatch != Any && c.IfMatch != have.Revision {
		return &ConflictError{Key: c.Key, Want: c.IfMatch, Have: have.Revision}
	}
	if c.Value == nil {
		return b.Delete([]byte(c.Key))
	}
	return b.Put([]byte(c.Key), append(binary.BigEndian.AppendUint64(nil, uint64(revision)), c.Value...))
}

// unpack reads an object: eight bytes of revision, then its JSON.
func unpack(key string, packed []byte) (Entry, error) {
	if packed == nil {
		return Entry{Key: key}, nil
	}
	if len(packed) < 8 {
		return Entry{}, fmt.Errorf("the store is damaged: %s has %d bytes", key, len(packed))
	}
	value := append([]byte(nil), packed[8:]...)
	return Entry{Key: key, Revision: int64(binary.BigEndian.Uint64(packed)), Value: value}, nil
}

func counted(tx *bolt.Tx) int64 {
	if v := tx.Bucket(counter).Get(counter); len(v) == 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// Watch has nothing to tell: the file is locked, so nobody else writes.
func (s *fileStore) Watch(ctx context.Context, _ int64, _ func(Entry)) error {
	<-ctx.Done()
	return nil
}

// Close flushes and unlocks the file.
func (s *fileStore) Close() error { return s.db.Close() }
