-- +goose Up
CREATE INDEX members_customer ON members (customer_id);
