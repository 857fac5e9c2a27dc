package handlers

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// number reads a whole number of at least least, or, as the platform does, a text that
// is one; nil where there is none or null.
func (f *form) number(name string, least int64) *int64 {
	v, ok := f.numeral(name)
	n := int64(v)
	switch {
	case !ok:
	case v != math.Trunc(v):
		f.refuse(name, "int_from_float", "Input should be a valid integer, got a number with a fractional part", v, nil)
	case math.IsInf(v, 0): // JSON has no such number
		f.refuse(name, "int_parsing_size", tooLong, f.fields[name], nil)
	case math.Abs(v) > 1<<53:
		f.refuse(name, "int_parsing_size", tooLong, v, nil)
	case n < least:
		f.refuse(name, "greater_than_equal", "Input should be greater than or equal to "+strconv.FormatInt(least, 10), n, map[string]any{"ge": least})
	default:
		return &n
	}
	return nil
}

const tooLong = "Unable to parse input string as an integer, exceeded maximum size"

var wholeText = regexp.MustCompile(`^[+-]?[0-9]+(\.0+)?$`)

func (f *form) numeral(name string) (v float64, ok bool) {
	var text string
	if !f.has(name) || json.Unmarshal(f.fields[name], &text) != nil {
		return optional[float64](f, name, "int_type", "Input should be a valid integer")
	}
	if text = strings.TrimSpace(text); !wholeText.MatchString(text) {
		f.refuse(name, "int_parsing", "Input should be a valid integer, unable to parse string as an integer", f.fields[name], nil)
		return 0, false
	}
	v, _ = strconv.ParseFloat(text, 64) // it looks like one; what is out of range is infinite
	return v, true
}

// given refuses null, in a field that may be left out, but not be that.
func (f *form) given(name, typ, msg string) bool {
	raw, ok := f.fields[name]
	if ok && string(raw) == "null" {
		f.refuse(name, typ, msg, nil, nil)
	}
	return ok
}

// moment reads a time in each of the platform's spellings; zero where there is none or
// null. Without an offset it is UTC.
func (f *form) moment(name string) time.Time {
	if !f.has(name) {
		return time.Time{}
	}
	raw := f.fields[name]
	var number float64
	text := string(raw)
	if json.Unmarshal(raw, &number) != nil && json.Unmarshal(raw, &text) != nil {
		f.refuse(name, "datetime_type", "Input should be a valid datetime", raw, nil)
		return time.Time{}
	}
	if raw[0] != '"' || numeric.MatchString(text) {
		at, ok := sinceEpoch(text)
		if !ok {
			const problem = "dates after 9999 are not supported as unix timestamps"
			f.refuse(name, "datetime_parsing", "Input should be a valid datetime, "+problem, raw, map[string]any{"error": problem})
		}
		return at
	}
	at, problem := parseMoment(text)
	if problem != "" {
		f.refuse(name, "datetime_from_date_parsing", "Input should be a valid datetime or date, "+problem, text, map[string]any{"error": problem})
	}
	return at
}

var numeric = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

const (
	mostSeconds = 20_000_000_000 // a larger number is of milliseconds
	lastSecond  = 253_402_300_799
)

// sinceEpoch reads seconds since 1970, or milliseconds, told apart by their size.
func sinceEpoch(text string) (time.Time, bool) {
	seconds, _ := strconv.ParseFloat(text, 64) // it looks like one; what is out of range is infinite
	if math.Abs(seconds) > mostSeconds {
		seconds /= 1000
	}
	if math.Abs(seconds) > lastSecond {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC(), true
}

// moments are the layouts of times. Seconds may have a fraction in each.
var moments = []string{
	time.DateOnly, "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04",
}

func parseMoment(text string) (at time.Time, problem string) {
	if len(text) < len(time.DateOnly) {
		return at, "input is too short"
	}
	day, rest := text[:len(time.DateOnly)], strings.ToUpper(text[len(time.DateOnly):])
	if rest != "" && strings.ContainsRune("T _", rune(rest[0])) {
		rest = "T" + rest[1:]
	}
	fits := slices.IndexFunc(moments, func(layout string) bool {
		var err error
		at, err = time.Parse(layout, day+rest)
		return err == nil
	})
	if fits < 0 {
		return time.Time{}, "invalid datetime"
	}
	return at, ""
}
