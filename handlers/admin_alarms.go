package handlers

import (
	"net/http"

	"fulfilld/grant"
	"fulfilld/internal/alarm"
)

type alarmItem struct {
	Code  string `json:"code"`
	Text  string `json:"text"`
	Next  string `json:"next"` // what to do about it
	Since stamp  `json:"since"`
	Last  stamp  `json:"last"`
	Count int    `json:"count"`
}

// listAlarms answers all alarms that stand; there are never more than a page.
func listAlarms(alarms func() []alarm.Alarm) endpoint {
	return func(*http.Request) (any, error) {
		all := alarms()
		return listingOf(all, int64(len(all)), grant.Page{Number: 1, Limit: maxPageSize}, func(a alarm.Alarm) alarmItem {
			return alarmItem{a.Code, a.Text, a.Next, stamp(a.Since), stamp(a.Last), a.Count}
		}), nil
	}
}
