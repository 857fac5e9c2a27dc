package licensekeys

import (
	"testing"
	"time"

	"fulfilld/fulfillers"
	"fulfilld/grant"
)

func day(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, 23, 59, 59, 123456000, time.UTC)
}

func TestExpiryStaysWithinTheMonthItReaches(t *testing.T) {
	for _, tt := range []struct {
		from      time.Time
		ttl       int
		timeframe string
		want      time.Time
	}{
		{day(2026, 1, 31), 1, "month", day(2026, 2, 28)},
		{day(2028, 1, 31), 1, "month", day(2028, 2, 29)},
		{day(2026, 1, 31), 2, "month", day(2026, 3, 31)},
		{day(2026, 3, 31), 1, "month", day(2026, 4, 30)},
		{day(2026, 12, 31), 2, "month", day(2027, 2, 28)},
		{day(2026, 1, 15), 1200, "month", day(2126, 1, 15)},
		{day(2028, 2, 29), 1, "year", day(2029, 2, 28)},
		{day(2028, 2, 29), 4, "year", day(2032, 2, 29)},
		{day(2028, 2, 29), 72, "year", day(2100, 2, 28)},
		{day(2026, 6, 30), 457, "year", day(2483, 6, 30)},
		{day(2026, 1, 31), 1, "day", day(2026, 2, 1)},
		{day(2026, 1, 31), 365, "day", day(2027, 1, 31)},
	} {
		e := &expires{TTL: tt.ttl, Timeframe: tt.timeframe}
		if got := e.after(tt.from); !got.Equal(tt.want) {
			t.Errorf("%s + %d %s = %s, want %s", tt.from, tt.ttl, tt.timeframe, got, tt.want)
		}
	}
}

func TestExpiryCountsFromTheFirstGrantOfAOneTimePurchase(t *testing.T) {
	first, again, created := day(2026, 1, 1), day(2026, 5, 1), day(2025, 12, 1)
	for name, tt := range map[string]struct {
		g             grant.Grant
		subscriptions bool
		want          time.Time
	}{
		"Order":                     {grant.Grant{OrderID: "o", FirstGrantedAt: first, GrantedAt: again, CreatedAt: created}, false, day(2026, 1, 11)},
		"OrderNeverSeenBefore":      {grant.Grant{OrderID: "o", GrantedAt: again, CreatedAt: created}, false, day(2026, 5, 11)},
		"OrderWithCreationOnly":     {grant.Grant{OrderID: "o", CreatedAt: created}, false, day(2025, 12, 11)},
		"Subscription":              {grant.Grant{SubscriptionID: "s", FirstGrantedAt: first}, false, time.Time{}},
		"OrderOfASubscription":      {grant.Grant{SubscriptionID: "s", OrderID: "o", FirstGrantedAt: first}, false, time.Time{}},
		"NeitherOrderNorOther":      {grant.Grant{FirstGrantedAt: first}, false, time.Time{}},
		"SubscriptionMadeToExpire":  {grant.Grant{SubscriptionID: "s", FirstGrantedAt: first}, true, day(2026, 1, 11)},
		"OrderElsewhereInTheWorld":  {grant.Grant{OrderID: "o", FirstGrantedAt: first.In(time.FixedZone("", 7*3600))}, false, day(2026, 1, 11)},
		"SubscriptionSwitchOnOrder": {grant.Grant{OrderID: "o", FirstGrantedAt: first}, true, day(2026, 1, 11)},
	} {
		t.Run(name, func(t *testing.T) {
			p := params{Expires: &expires{10, "day"}, ExpireSubscriptions: tt.subscriptions}
			got, err := p.expiry(tt.g)
			if err != nil || !got.Equal(tt.want) {
				t.Errorf("expiry %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestExpiryWithoutAnyTimeIsAnErrorThatPeopleSee(t *testing.T) {
	_, err := params{Expires: &expires{10, "day"}}.expiry(grant.Grant{OrderID: "o"})
	if e := fulfillers.Classify(err); e == nil || e.Class != fulfillers.ClassPermanent {
		t.Errorf("error %v, want a permanent one", err)
	}
}
