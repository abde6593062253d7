package filestore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/usherauth/usher/credential"
)

// BenchmarkCommit compares changes of a credential with the least any durable
// replacement of a file costs.
func BenchmarkCommit(b *testing.B) {
	b.Run("write, fsync, rename, fsync of the folder", func(b *testing.B) {
		dir := b.TempDir()
		data, err := credential.Encode(sample(github, "1"))
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := replaceFile(dir, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Update", func(b *testing.B) {
		s := open(b, b.TempDir())
		cred := login(b, s, github, "l1")
		for b.Loop() {
			var err error
			if cred, err = s.Update(b.Context(), cred, cred.Generation); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rotation", func(b *testing.B) {
		s := open(b, b.TempDir())
		login(b, s, github, "l1")
		for b.Loop() {
			r := begin(b, s)
			if err := r.Reserve(b.Context()); err != nil {
				b.Fatal(err)
			}
			if _, err := r.Commit(b.Context(), r.Record()); err != nil {
				b.Fatal(err)
			}
			if err := r.Release(false); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func replaceFile(dir string, data []byte) error {
	temp := filepath.Join(dir, "temp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, "file")); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir())
	login(b, s, github, "l1")
	for b.Loop() {
		if _, err := s.Get(b.Context(), github); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStamp(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	login(b, s, github, "l1")
	b.Run("os.Stat", func(b *testing.B) {
		for b.Loop() {
			if _, err := os.Stat(current(dir, github)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Stamp", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Stamp(b.Context(), github); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkList is of a hundred credentials that did not change.
func BenchmarkList(b *testing.B) {
	s := open(b, b.TempDir())
	for i := range 100 {
		login(b, s, credential.Key{Provider: "p", Account: fmt.Sprint(i)}, fmt.Sprint("l", i))
	}
	for b.Loop() {
		for _, err := range s.List(b.Context()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
