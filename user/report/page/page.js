// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// What ties it together. What is shown follows from the address: #zoom=PATH&search=WORDS, so that
// going back and a copied link show it again; PATH is the frames from the root, between them ";".
"use strict";

const SECTIONS_SHOWN = 2; // at the top, one below the other
const TITLES = {
	"threads": "Threads by stack",
	"blocked": "Blocked time by stack",
	"waker": "Blocked time by stack, and by who ended it",
	"run-queue": "Time in the run queue by stack",
	"on-cpu": "Time on CPUs by stack",
	"wall": "All time of threads by stack",
	"leaks": "Threads by the stack that created them",
};

class Page {
	constructor(data) {
		this.data = data;
		this.rows = this.readRows();
		this.graph = byId("graph");
		this.query = byId("query");
		this.flame = new Flame(this.rows, data.names);
		this.table = new Table(data, row => {
			this.go(this.flame.pathOf(row.node), this.search());
			byId("bar").scrollIntoView();
		}, thread => this.isFound(thread));
		this.say = node => this.sayNode(node);
		this.putHead();
		this.listen();
		this.follow();
	}

	readRows() {
		const rows = [];
		for (const section of this.data.sections) {
			const name = this.data.names[section.name];
			const title = section.processes > 1 ? `${name}, ${section.processes} processes` :
				`${name} ${section.pid}`;
			for (const row of section.rows) {
				row.index = rows.length;
				row.process = { name, title };
				rows.push(row);
			}
		}
		return rows;
	}

	// --- what never changes ---

	putHead() {
		const { data } = this;
		const heads = data.sections.flatMap(section => section.head).map(line =>
			element("p", {}, data.lines[line]));
		byId("title").textContent = TITLES[data.of];
		document.title = `${this.subject()}: ${TITLES[data.of].toLowerCase()}`;
		if (data.sections.length <= SECTIONS_SHOWN)
			byId("heads").append(...heads);
		else
			byId("heads").append(element("details", {},
				element("summary", {}, this.subject()), ...heads));
		byId("notes").append(...data.notes.map(line => element("li", {}, data.lines[line])));
		byId("notes").hidden = !data.notes.length;
		byId("facts").append(...this.facts().map(text => element("span", {}, text)));
	}

	subject() {
		const { sections, names } = this.data;
		if (sections.length === 1)
			return `${names[sections[0].name]} (pid ${sections[0].pid})`;
		return `${sections.reduce((sum, section) => sum + section.processes, 0)} processes`;
	}

	facts() {
		const { data } = this;
		const facts = [`${data.time.replace("T", " ").replace(/(\.\d+)?Z$/, "")} UTC`];
		if (data.window_ns || data.watch_ns)
			facts.push(`for ${durationWords(data.window_ns || data.watch_ns)}`);
		facts.push(`host ${data.host}`, `Linux ${data.kernel}`, `loiter ${data.loiter}`);
		return facts;
	}

	// --- what follows from the address ---

	follow() {
		const { flame } = this;
		const parts = new URLSearchParams(location.hash.slice(1));
		const zoom = parts.get("zoom"), search = parts.get("search") || "";
		flame.zoomed = flame.find(zoom ? zoom.split(";") : []);
		if (this.search() !== search)
			this.query.value = search;
		this.seek(search.toLowerCase());
		this.draw();
	}

	search() {
		return this.query.value.trim();
	}

	addressOf(path, search) {
		const parts = [];
		if (path.length)
			parts.push(`zoom=${path.map(encodeURIComponent).join(";")}`);
		if (search)
			parts.push(`search=${encodeURIComponent(search)}`);
		return `#${parts.join("&")}`;
	}

	// Zooming is a step that one can go back from; typing is not.
	go(path, search, replace) {
		const address = this.addressOf(path, search);
		try {
			history[replace ? "replaceState" : "pushState"](null, "", address);
		} catch {
			// Not everywhere may a page change its address; what is shown changes all the same.
			location.hash = address;
		}
		this.follow();
	}

	seek(search) {
		this.flame.hits = search ?
			this.data.names.map(name => name.toLowerCase().includes(search)) : null;
	}

	isFound([tid, name, , object]) {
		const { hits } = this.flame;
		return hits !== null && (hits[name] || (object !== undefined && hits[object]) ||
					 String(tid) === this.search());
	}

	isShown(row) {
		const { hits } = this.flame;
		if (!this.flame.contains(this.flame.zoomed, row.node))
			return false;
		return !hits || row.path.some(name => hits[name]) || hits[row.wait] || hits[row.creator] ||
			row.threads.some(thread => this.isFound(thread));
	}

	draw() {
		const { flame, rows } = this;
		const shown = rows.filter(row => this.isShown(row));
		flame.draw(this.graph, this.say);
		byId("reset").disabled = flame.zoomed === flame.root;
		byId("matched").textContent = !flame.hits ? "" : !flame.matched ? "no frame matched" :
			`${shareWords(flame.matched, flame.zoomed.value)} matched`;
		byId("unseen").hidden = !flame.unseen;
		byId("unseen").textContent = `${countWords(flame.unseen, "frame")} too narrow to be drawn`;
		byId("shown").textContent = !rows.length ? "Nothing to show." :
			shown.length === rows.length ? countWords(rows.length, "stack") :
			`${groupDigits(shown.length)} of ${countWords(rows.length, "stack")}`;
		this.sayStatus(flame.focused);
		this.table.filter(shown, flame.root.value);
	}

	// --- what the pointer and the keys do ---

	valueWords(value) {
		return isOfThreads(this.data) ? countWords(value, "thread") : durationWords(value);
	}

	sayNode(node) {
		const { flame } = this;
		const zoomed = flame.zoomed !== flame.root && flame.contains(flame.zoomed, node) ?
			`, ${shareWords(node.value, flame.zoomed.value)} of what is shown` : "";
		return `${flame.nameOf(node)}: ${this.valueWords(node.value)}, ` +
			`${shareWords(node.value, flame.root.value)}${zoomed}`;
	}

	sayStatus(node) {
		byId("status").textContent = this.sayNode(node);
	}

	nodeAt(target) {
		const frame = target.closest(".frame");
		return frame ? this.flame.nodes[Number(frame.dataset.node)] : null;
	}

	focus(node) {
		const frame = this.graph.querySelector(`[data-node="${node.index}"]`);
		if (!frame)
			return;
		this.graph.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
		this.flame.focused = node;
		frame.tabIndex = 0;
		frame.focus();
	}

	zoom(node, refocus) {
		this.flame.focused = node;
		this.go(this.flame.pathOf(node), this.search());
		if (refocus)
			this.focus(node);
	}

	onGraphKey(event) {
		const node = this.nodeAt(event.target);
		if (!node || event.ctrlKey || event.altKey || event.metaKey)
			return;
		const next = this.flame.neighbour(node, event.key);
		if (event.key === "Enter" || event.key === " ")
			this.zoom(node, true);
		else if (next)
			this.focus(next);
		else if (!event.key.startsWith("Arrow"))
			return;
		event.preventDefault();
	}

	onKey(event) {
		const typing = event.target === this.query;
		if (event.key === "/" && !typing) {
			this.query.focus();
			event.preventDefault();
		} else if (event.key === "Escape" && !typing && this.flame.zoomed !== this.flame.root) {
			this.zoom(this.flame.zoomed.parent, this.graph.contains(document.activeElement));
		}
	}

	listen() {
		const { graph, flame } = this;
		graph.addEventListener("click", event => {
			const node = this.nodeAt(event.target);
			if (node)
				this.zoom(node, true);
		});
		graph.addEventListener("keydown", event => this.onGraphKey(event));
		for (const kind of ["mouseover", "focusin"])
			graph.addEventListener(kind, event => {
				const node = this.nodeAt(event.target);
				if (node)
					this.sayStatus(node);
			});
		graph.addEventListener("mouseleave", () => this.sayStatus(flame.focused));
		byId("reset").addEventListener("click", () => this.zoom(flame.root));
		this.query.addEventListener("input", () =>
			this.go(flame.pathOf(flame.zoomed), this.search(), true));
		byId("find").addEventListener("submit", event => event.preventDefault());
		document.addEventListener("keydown", event => this.onKey(event));
		for (const kind of ["hashchange", "popstate"])
			window.addEventListener(kind, () => this.follow());
	}
}

new Page(JSON.parse(byId("data").textContent));
