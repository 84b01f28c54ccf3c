// Package spelling guesses which of the known names somebody meant who wrote another word.
package spelling

import "strings"

// Nearest is the name that somebody who wrote word probably meant, or nothing. Dashes count as underscores.
func Nearest(word string, names []string) string {
	best, found := 3, ""
	plain := strings.ReplaceAll(word, "-", "_")
	for _, name := range names {
		if far := distance(plain, strings.ReplaceAll(name, "-", "_")); far < best && far*3 <= len(name) {
			best, found = far, name
		}
	}
	return found
}

// distance counts the letters to add, drop, change or swap between two words.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
