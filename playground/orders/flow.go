package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nvent-go/nvent/flow"
)

// Priced is an order with its totals.
type Priced struct {
	Order Order `json:"order"`
	Net   int64 `json:"net"`
	VAT   int64 `json:"vat"`
	Total int64 `json:"total"`
}

// Charge says how the payment went.
type Charge struct {
	Order    string `json:"order"`
	Receipt  string `json:"receipt,omitempty"`
	Declined string `json:"declined,omitempty"` // why
	Total    int64  `json:"total"`
	Attempts int    `json:"attempts"`
}

// Reservation is the stock that was set aside.
type Reservation struct {
	Order     string `json:"order"`
	Warehouse string `json:"warehouse"`
	Pieces    int    `json:"pieces"`
}

// Settlement is the result of an order's run.
type Settlement struct {
	Order     string `json:"order"`
	Status    string `json:"status"` // shipped or declined
	Total     int64  `json:"total"`
	Pieces    int    `json:"pieces"`
	Warehouse string `json:"warehouse"`
	Attempts  int    `json:"attempts"` // of charging
}

// The events of the flow.
var (
	PricedEvent   = flow.NewEvent[Priced]("order.priced")
	ChargedEvent  = flow.NewEvent[Charge]("order.charged")
	ReservedEvent = flow.NewEvent[Reservation]("order.reserved")
)

// Flow returns the flow that settles an order:
//
//	price ─┬─ charge ──(declined)── decline ─┐
//	       │      └──────────────────────────┤
//	       ├─ reserve ───────────────────────┴─ settle
//	       └─ review (large orders only)
func Flow() *flow.Flow[Order, Settlement] {
	f := flow.New[Order, Settlement]("order")
	flow.Start(f, "price", price, flow.Emits(PricedEvent))
	charge := flow.On(f, "charge", PricedEvent, charge, flow.Emits(ChargedEvent),
		flow.Attempts(4, flow.Exponential(5*time.Millisecond)), flow.Timeout(5*time.Second))
	flow.On(f, "decline", charge.Failed(), decline, flow.Emits(ChargedEvent))
	flow.On(f, "reserve", PricedEvent, reserve, flow.Emits(ReservedEvent))
	flow.On(f, "review", PricedEvent, review, flow.When("payload.total > 100000"))
	flow.Returns(f, flow.Join2(f, "settle", ChargedEvent, ReservedEvent, settle, flow.First()))
	return f
}

func price(ctx context.Context, o Order) (struct{}, error) {
	p := Priced{Order: o}
	for _, l := range o.Lines {
		p.Net += int64(l.Qty) * l.Cents
	}
	p.VAT = p.Net * vatPercent[o.Country] / 100
	p.Total = p.Net + p.VAT
	if err := flow.Set(ctx, "order", o.ID); err != nil {
		return struct{}{}, err
	}
	if err := flow.Set(ctx, "total", p.Total); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, PricedEvent.Emit(ctx, p)
}

// charge pretends to ask a bank: a slow one fails at first, a declined card fails for good.
func charge(ctx context.Context, p Priced) (struct{}, error) {
	info, _ := flow.Info(ctx)
	switch {
	case p.Order.Card == "declined":
		return struct{}{}, flow.Permanent(errors.New("card declined"))
	case p.Order.Card == "slow" && info.Attempt < 3:
		return struct{}{}, fmt.Errorf("bank does not answer (attempt %d)", info.Attempt)
	}
	c := Charge{Order: p.Order.ID, Receipt: "R-" + flow.Key(ctx), Total: p.Total, Attempts: info.Attempt}
	return struct{}{}, ChargedEvent.Emit(ctx, c)
}

func decline(ctx context.Context, failed flow.Failure) (struct{}, error) {
	c := Charge{Declined: failed.Error, Attempts: failed.Attempts}
	var err error
	if c.Order, _, err = flow.Get[string](ctx, "order"); err != nil {
		return struct{}{}, err
	}
	if c.Total, _, err = flow.Get[int64](ctx, "total"); err != nil {
		return struct{}{}, err
	}
	return struct{}{}, ChargedEvent.Emit(ctx, c)
}

func reserve(ctx context.Context, p Priced) (struct{}, error) {
	r := Reservation{Order: p.Order.ID, Warehouse: "EU-1"}
	if p.Order.Country == "US" {
		r.Warehouse = "US-1"
	}
	for _, l := range p.Order.Lines {
		r.Pieces += l.Qty
	}
	return struct{}{}, ReservedEvent.Emit(ctx, r)
}

func review(ctx context.Context, p Priced) (struct{}, error) {
	flow.Logger(ctx).Info("large order", "order", p.Order.ID, "total", p.Total)
	return struct{}{}, nil
}

func settle(ctx context.Context, c Charge, r Reservation) (Settlement, error) {
	total, _, err := flow.Get[int64](ctx, "total")
	if err != nil {
		return Settlement{}, err
	}
	s := Settlement{Order: r.Order, Status: "shipped", Total: c.Total, Pieces: r.Pieces, Warehouse: r.Warehouse, Attempts: c.Attempts}
	if c.Declined != "" {
		s.Status, s.Pieces = "declined", 0
	}
	if c.Total != total {
		return s, flow.Permanent(fmt.Errorf("order %s was charged %d, its total is %d", r.Order, c.Total, total))
	}
	return s, nil
}
