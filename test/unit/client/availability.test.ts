import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Availability } from '../../../src/client/availability.ts';

const HOUR = 3_600_000;

test('a relay begins as one that is there, and a failure says little', () => {
  const history = new Availability();
  assert.equal(history.at(0), 1);
  history.failed(0);
  assert.ok(history.at(0) > 0.6 && history.at(0) < 0.7);
  history.served(0);
  assert.equal(history.at(0), 0.75);
});

test('a bad hour is forgotten after some hours, however many attempts failed in it', () => {
  const history = new Availability();
  for (let minute = 0; minute < 60; minute++) history.failed(minute * 60_000);
  assert.ok(history.at(HOUR) < 0.25);
  assert.ok(history.at(4 * HOUR) > 0.5);
  assert.ok(history.at(7 * HOUR) > 0.9);
});

test('a good year does not hide that a relay is down now', () => {
  const history = new Availability();
  for (let hour = 0; hour < 365 * 24; hour++) history.served(hour * HOUR);
  const now = 365 * 24 * HOUR;
  for (let i = 0; i < 8; i++) history.failed(now);
  assert.ok(history.at(now) < 0.4);
});
