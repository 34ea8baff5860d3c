// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// Numbers and nodes. Text of the data only ever becomes text nodes and attributes' values.
"use strict";

// As loiter's text has durations: cut, never rounded up.
function durationWords(ns) {
	const s = Math.floor(ns / 1e9);
	if (ns >= 864e11)
		return `${Math.floor(s / 86400)}d${Math.floor(s % 86400 / 3600)}h`;
	if (ns >= 36e11)
		return `${Math.floor(s / 3600)}h${Math.floor(s % 3600 / 60)}m`;
	if (ns >= 6e10)
		return `${Math.floor(s / 60)}m${s % 60}s`;
	if (ns >= 1e10)
		return `${s}s`;
	if (ns >= 1e9)
		return `${(Math.floor(ns / 1e8) / 10).toFixed(1)}s`;
	if (ns >= 1e7)
		return `${Math.floor(ns / 1e6)}ms`;
	if (ns >= 1e6)
		return `${(Math.floor(ns / 1e5) / 10).toFixed(1)}ms`;
	if (ns >= 1e4)
		return `${Math.floor(ns / 1e3)}us`;
	if (ns >= 1e3)
		return `${(Math.floor(ns / 100) / 10).toFixed(1)}us`;
	return ns > 0 ? "<1us" : "0s";
}

// Since when a thread waits: the text says no more than milliseconds of it.
function ageWords(ns) {
	if (ns < 0)
		return "";
	if (ns < 1e6)
		return ns > 0 ? "<1ms" : "0s";
	return durationWords(ns < 1e9 ? Math.floor(ns / 1e6) * 1e6 : ns).replace(/\.0ms$/, "ms");
}

function rangeWords(min, max) {
	const from = ageWords(min), to = ageWords(max);
	return from === to ? from : `${from} to ${to}`;
}

function groupDigits(number) {
	return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

function countWords(count, what) {
	return `${groupDigits(count)} ${what}${count === 1 ? "" : "s"}`;
}

function shareWords(part, whole) {
	return `${(whole ? 100 * part / whole : 0).toFixed(1)} %`;
}

// Returns a new element with @properties, and with @children, nodes or strings, in it.
function element(tag, properties, ...children) {
	const made = Object.assign(document.createElement(tag), properties);
	made.append(...children);
	return made;
}

function byId(id) {
	return document.getElementById(id);
}
