package ledger

import (
	"testing"

	"fulfilld/grant"
)

func TestBenefitsAreFilteredByMetadata(t *testing.T) {
	odd := "it's $1, \"quoted\" and $.a[0]"
	tests := []struct {
		name string
		f    map[string][]string
		want string
	}{
		{"None", nil, "b6 b5 b4 b3 b2 b1"},
		{"Text", map[string][]string{"plan": {"pro"}}, "b2 b1"},
		{"OneOfTwo", map[string][]string{"plan": {"pro", "team"}}, "b3 b2 b1"},
		{"AllKeysMustFit", map[string][]string{"plan": {"pro"}, "seats": {"5"}}, "b2"},
		{"WholeNumber", map[string][]string{"seats": {"5"}}, "b4 b2"},
		{"Fraction", map[string][]string{"factor": {"1.5"}}, "b3"},
		{"True", map[string][]string{"beta": {"true"}}, "b2"},
		{"False", map[string][]string{"beta": {"false"}}, "b3"},
		{"OneIsNotTrue", map[string][]string{"beta": {"1"}}, ""},
		{"InAnotherCase", map[string][]string{"plan": {"PRO"}}, ""},
		{"KeyInAnotherCase", map[string][]string{"Plan": {"pro"}}, ""},
		{"NoSuchKey", map[string][]string{"nothing": {"pro"}}, ""},
		{"OddKeyAndValue", map[string][]string{odd: {odd}}, "b5"},
		{"MarkupAndUmlauts", map[string][]string{"<größe>": {"a&b"}}, "b5"},
	}
	onEachEngine(t, func(t *testing.T, s *shop) {
		for i, metadata := range []map[string]any{
			{"plan": "pro"}, {"plan": "pro", "seats": 5, "beta": true}, {"plan": "team", "factor": 1.5, "beta": false},
			{"seats": "5"}, {odd: odd, "<größe>": "a&b"}, nil,
		} {
			b := namedBenefit("b"+string(rune('1'+i)), "custom", "one", i)
			b.Metadata = metadata
			s.hear(news(b))
		}
		for _, tt := range tests {
			got, total, err := s.Benefits(t.Context(), grant.BenefitFilter{Metadata: tt.f}, all)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if names := ids(got, func(b grant.Benefit) string { return b.ID }); names != tt.want || total != int64(len(got)) {
				t.Errorf("%s: got %q of %d, want %q", tt.name, names, total, tt.want)
			}
		}
	})
}
