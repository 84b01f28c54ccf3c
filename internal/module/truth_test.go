package module

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"openguest/internal/conf"
)

// Row Y02: each key that is true or false takes each word that cloud-init takes, in any case: a word that counts for one key
// and not for another is a machine that is open where it should be closed.
func TestEveryTruthTakesEveryWord(t *testing.T) {
	seen := map[reflect.Type]bool{}
	truths := 0
	for _, m := range All() {
		truths += checkTruths(t, m.Name, reflect.TypeOf(m.Struct()), seen)
	}
	if truths < 15 {
		t.Errorf("only %d keys were found", truths)
	}
}

// checkTruths looks at a type and at all that it is made of, each once.
func checkTruths(t *testing.T, where string, of reflect.Type, seen map[reflect.Type]bool) (truths int) {
	t.Helper()
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return checkTruths(t, where, of.Elem(), seen)
	case reflect.Struct:
	default:
		return 0
	}
	if seen[of] || of.PkgPath() == "time" {
		return 0
	}
	seen[of] = true
	for i := range of.NumField() {
		f := of.Field(i)
		key := f.Tag.Get("key")
		if key != "" && (f.Type.Kind() == reflect.Bool || f.Type == reflect.TypeFor[conf.Truth]()) {
			truths++
			checkWords(t, where+": "+key, key, of, i)
			continue
		}
		truths += checkTruths(t, where, f.Type, seen)
	}
	return truths
}

// checkWords gives a key each word.
func checkWords(t *testing.T, where, key string, of reflect.Type, field int) {
	t.Helper()
	for word, want := range map[string]bool{"true": true, "1": true, "on": true, "yes": true, "off": false, "0": false, "no": false, "false": false} {
		for _, spelled := range []string{word, strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:], fmt.Sprintf("%q", word), fmt.Sprintf("' %s '", word)} {
			v, _, err := conf.Parse("t", []byte(key+": "+spelled+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			into := reflect.New(of)
			for _, p := range conf.Decode(v, into.Interface()) {
				if strings.HasPrefix(p.Path, key) && p.Level == conf.Rejected {
					t.Errorf("%s: %s: %v", where, spelled, p)
				}
			}
			got := into.Elem().Field(field)
			if truth, ok := got.Interface().(conf.Truth); ok && truth.Or(!want) != want || got.Kind() == reflect.Bool && got.Bool() != want {
				t.Errorf("%s: %s is not read as %v", where, spelled, want)
			}
		}
	}
}
