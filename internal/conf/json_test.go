package conf

import "testing"

// Whole numbers of JSON stay whole and others do not become so: an id of twenty digits is none that a float can hold.
func TestReadJSON(t *testing.T) {
	for _, text := range []string{"1", "1.0", "-7", "12345678901234567890123", "1.5", "true", "null", `"a"`} {
		data, err := ReadJSON([]byte(text))
		if got := JSON(data); err != nil || got != text {
			t.Errorf("%s came back as %s (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "{", "{} x", "vm"} {
		if data, err := ReadJSON([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, data)
		}
	}
}
