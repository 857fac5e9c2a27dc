package handlers

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The platform's limits of what an app may say of a key.
const (
	minNumber    = math.MinInt32
	maxNumber    = math.MaxInt32
	maxPairs     = 50
	maxPairName  = 40
	maxPairValue = 500
)

// between reads a whole number; nil where there is none or null.
func (f *form) between(name string, least, most int64) *int64 {
	n := f.number(name, least)
	if n != nil && *n > most {
		f.refuse(name, "less_than_equal", "Input should be less than or equal to "+strconv.FormatInt(most, 10), *n, map[string]any{"le": most})
		return nil
	}
	return n
}

// above is between for a number that must be greater than the least.
func (f *form) above(name string, least, most int64) *int64 {
	n := f.between(name, minNumber, most)
	if n != nil && *n <= least {
		f.refuse(name, "greater_than", "Input should be greater than "+strconv.FormatInt(least, 10), *n, map[string]any{"gt": least})
		return nil
	}
	return n
}

// choice reads a word of a closed set.
func (f *form) choice(name string, allowed []string) string {
	s := f.text(name)
	if _, ok := f.fields[name]; ok && !slices.Contains(allowed, s) {
		expected := oneOf(allowed)
		f.refuse(name, "enum", "Input should be "+expected, s, map[string]any{"expected": expected})
	}
	return s
}

// pairs reads an object of a few texts, numbers and booleans, and returns it in one
// spelling: equal objects are equal texts. It is empty where there is nothing.
func (f *form) pairs(name string) string {
	given, _ := field[map[string]json.RawMessage](f, name, "dict_type", "Input should be a valid dictionary")
	if len(given) > maxPairs {
		f.refuse(name, "too_long", "Dictionary should have at most 50 items after validation, not "+strconv.Itoa(len(given)), len(given), map[string]any{"field_type": "Dictionary", "max_length": maxPairs, "actual_length": len(given)})
		return ""
	}
	all := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		v, fault := pairValue(given[key])
		if fault == "" && (!isText(key) || key == "" || utf8.RuneCountInString(key) > maxPairName) {
			fault = "Key should have 1 to 40 characters"
		}
		if fault != "" {
			f.wrong = append(f.wrong, fieldError{"value_error", []string{"body", name, key}, fault, v, nil})
		}
		all[key] = v
	}
	if len(all) == 0 {
		return ""
	}
	return spell(all)
}

// pairValue reads a value of an object, numbers in one spelling, or says what is
// wrong with it.
func pairValue(text json.RawMessage) (v any, fault string) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	_ = in.Decode(&v) // it was read as part of the whole
	switch v := v.(type) {
	case string:
		if n := utf8.RuneCountInString(v); n < 1 || n > maxPairValue || !isText(v) {
			return v, "String should have 1 to 500 characters"
		}
	case json.Number:
		spelled, ok := spellNumber(string(v))
		if !ok {
			return v, "Input should be a finite number"
		}
		return json.Number(spelled), ""
	case bool:
	default:
		return v, "Input should be a valid string, integer, number or boolean"
	}
	return v, ""
}

// spellNumber writes numbers that are equal in one way: 1, 1.0 and 1e0 as 1. It
// reports whether there is a number so large.
func spellNumber(text string) (spelled string, ok bool) {
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return "", false
	case !strings.ContainsAny(text, ".eE") && text != "-0":
		return text, true
	case n == 0: // and -0
		return "0", true
	case n == math.Trunc(n) && math.Abs(n) < 1e21:
		return strconv.FormatFloat(n, 'f', -1, 64), true
	}
	return strconv.FormatFloat(n, 'g', -1, 64), true
}

// spell writes an object with its members in order.
func spell(all map[string]any) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(all) // texts, numbers and booleans
	return strings.TrimSuffix(out.String(), "\n")
}
