// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// The table: a line a row of the data, which opens to the row's text and threads.
"use strict";

const LINES_STEP = 100; // drawn at first, and with each "more"
const SPAN_ON_CPU = 3;

// Whether values are threads, and not times.
function isOfThreads(data) {
	return data.of === "threads" || data.of === "leaks";
}

// What a report has columns of: title, what it sorts by, and what it shows if that is not it.
function columnsOf(data, total) {
	const name = key => row => data.names[row[key]];
	const wait = { title: "Wait", by: name("wait") };
	const where = { title: "Function", by: name("where"), code: true };
	const process = {
		title: "Process", by: row => row.process.name, show: row => row.process.title,
	};
	const share = {
		title: "Share", by: row => row.value, show: row => shareWords(row.value, total()),
		down: true,
	};
	const created = data.sections.some(section => section.rows.some(row => row.creator)) ?
		[{ title: "Created by", by: row => data.names[row.creator ?? 0], code: true }] : [];
	const several = data.sections.length > 1 ? [process] : [];
	if (data.of === "leaks")
		return [
			{ title: "Verdict", by: row => row.rank, show: name("verdict") },
			{
				title: "Threads", by: row => row.value, down: true,
				show: row => groupDigits(row.value),
			},
			{
				title: "Born", by: row => row.born, down: true,
				show: row => groupDigits(row.born),
			},
			{
				title: "Ended", by: row => row.ended, down: true,
				show: row => groupDigits(row.ended),
			},
			{
				title: "A minute", by: row => row.growth, down: true,
				show: row => row.growth.toFixed(1),
			},
			...created, wait, where, ...several,
		];
	if (data.of === "threads")
		return [
			{
				title: "Threads", by: row => row.value, down: true,
				show: row => groupDigits(row.value),
			},
			share, wait,
			{
				title: "Since", by: row => row.age_max ?? -1, down: true,
				show: row => row.age_max === undefined ? "" :
					rangeWords(row.age_min, row.age_max),
			},
			where,
			{ title: "On", by: name("on"), code: true },
			...created,
			...several,
		];
	return [
		{
			title: "Time", by: row => row.value, down: true,
			show: row => durationWords(row.value),
		},
		share, wait,
		{
			title: "Count", by: row => row.count, down: true,
			show: row => row.kind === SPAN_ON_CPU ? countWords(row.count, "sample") :
				groupDigits(row.count),
		},
		{
			title: "Average", by: averageOf, down: true,
			show: row => row.count ? durationWords(averageOf(row)) : "",
		},
		{
			title: "Longest", by: row => row.kind === SPAN_ON_CPU ? -1 : row.max, down: true,
			show: row => row.kind === SPAN_ON_CPU ? "" :
				durationWords(row.max) + (row.open ? ", not over" : ""),
		},
		{
			title: "Threads", by: row => row.threads.length, down: true,
			show: row => groupDigits(row.threads.length),
		},
		where,
		...several,
	];
}

function averageOf(row) {
	return row.count && row.kind !== SPAN_ON_CPU ? row.value / row.count : 0;
}

// Returns the text of a row as the text report has it: frames, places of frames, and facts.
function textBlock(lines) {
	const block = element("div", { className: "stack" });
	for (const line of lines) {
		const depth = line.startsWith("\t\t") ? "place" : line.startsWith("\t[") ? "mark" :
			line.startsWith("\t") ? "function" : line.startsWith("  ") ? "fact" : "line";
		block.append(element("div", { className: depth }, line));
	}
	return block;
}

class Table {
	// @show is called with the row that the graph is to show, @isFound tells of a thread whether it
	// is what is searched for.
	constructor(data, show, isFound) {
		this.data = data;
		this.rows = [];
		this.show = show;
		this.isFound = isFound;
		this.total = 0;
		this.columns = columnsOf(data, () => this.total);
		this.sorted = this.columns[0];
		this.down = Boolean(this.sorted.down);
		this.limit = LINES_STEP;
		this.open = new Set();
		this.head = byId("table").tHead;
		this.body = byId("table").tBodies[0];
		byId("more").addEventListener("click", () => {
			this.limit += LINES_STEP * 5;
			this.draw();
		});
		this.makeHead();
	}

	makeHead() {
		const line = element("tr", {});
		for (const column of this.columns) {
			const button = element("button", { type: "button" }, column.title);
			button.addEventListener("click", () => {
				this.down = this.sorted === column ? !this.down : Boolean(column.down);
				this.sorted = column;
				this.draw();
			});
			column.cell = element("th", { scope: "col" }, button);
			column.cell.className = column.down ? "number" : "";
			line.append(column.cell);
		}
		this.head.replaceChildren(line);
	}

	// Shows those of @rows; @total is what their shares are of.
	filter(rows, total) {
		this.rows = rows;
		this.total = total;
		this.limit = LINES_STEP;
		this.draw();
	}

	sort() {
		const by = this.sorted.by, sign = this.down ? -1 : 1;
		this.rows.sort((a, b) => {
			const x = by(a), y = by(b);
			return x < y ? -sign : x > y ? sign : b.value - a.value || a.index - b.index;
		});
		for (const column of this.columns)
			column.cell.setAttribute("aria-sort", column !== this.sorted ? "none" :
				this.down ? "descending" : "ascending");
	}

	draw() {
		const more = byId("more"), left = this.rows.length - this.limit;
		this.sort();
		this.body.replaceChildren();
		for (const row of this.rows.slice(0, this.limit)) {
			this.body.append(this.line(row));
			if (this.open.has(row))
				this.body.append(this.detail(row));
		}
		more.hidden = left <= 0;
		more.textContent = `Show more: ${countWords(left, "row")} left`;
	}

	line(row) {
		const line = element("tr", { className: "row" });
		const button = element("button", { type: "button", className: "opener" });
		button.setAttribute("aria-expanded", this.open.has(row));
		button.setAttribute("aria-label", "stack and threads");
		for (const column of this.columns) {
			const text = String(column.show ? column.show(row) : column.by(row));
			const cell = element("td", {}, text);
			cell.className = column.down ? "number" : column.code ? "code" : "";
			if (column.code)
				cell.title = text;
			line.append(cell);
		}
		line.firstChild.prepend(button);
		line.addEventListener("click", event => {
			// What was marked with the pointer is to be copied.
			if (!getSelection().isCollapsed && event.target !== button)
				return;
			this.toggle(row, line, button);
		});
		return line;
	}

	toggle(row, line, button) {
		if (this.open.delete(row)) {
			line.nextSibling.remove();
		} else {
			this.open.add(row);
			line.after(this.detail(row));
		}
		button.setAttribute("aria-expanded", this.open.has(row));
	}

	detail(row) {
		const button = element("button", { type: "button" }, "Show in the graph");
		const cell = element("td", { colSpan: this.columns.length },
				     textBlock(row.text.map(line => this.data.lines[line])));
		button.addEventListener("click", () => this.show(row));
		if (row.threads.length > 1)
			cell.append(this.threads(row));
		cell.append(element("p", { className: "tools" }, button));
		return element("tr", { className: "detail" }, cell);
	}

	threads(row) {
		const { names } = this.data;
		const waits = isOfThreads(this.data);
		const titles = waits ? ["Thread", "Name", "Since", "On", "Ran"] : ["Thread", "Name"];
		const body = element("tbody", {});
		const table = element("table", { className: "threads" }, element("thead", {},
			element("tr", {}, ...titles.map(title => element("th", { scope: "col" }, title)))),
			body);
		const button = element("button", { type: "button" });
		const found = row.threads.filter(this.isFound);
		const threads = found.length ?
			[...found, ...row.threads.filter(thread => !this.isFound(thread))] : row.threads;
		let from = 0;
		const add = () => {
			const some = threads.slice(from, from + LINES_STEP);
			for (const [tid, name, age, object, runs] of some) {
				const cells = [tid, names[name]];
				if (waits)
					cells.push(ageWords(age), names[object], groupDigits(runs));
				const line = element("tr", {}, ...cells.map(text => element("td", {}, text)));
				line.className = from++ < found.length ? "found" : "";
				body.append(line);
			}
			button.hidden = from >= threads.length;
			button.textContent = `Show more: ${countWords(threads.length - from, "thread")} left`;
		};
		button.addEventListener("click", add);
		add();
		return element("details", { open: found.length > 0 },
			       element("summary", {}, countWords(threads.length, "thread")), table, button);
	}
}
