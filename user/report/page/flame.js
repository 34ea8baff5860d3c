// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// The flame graph: the rows' paths as one tree, drawn root first, the larger of two callees left.
//
//   node    name (index), value, depth, parent, children, kind (class of its colour),
//           isWaker (from "--" on), from (the values left of it), index and end (its subtree is
//           nodes[index .. end))
"use strict";

const ROW_PX = 20;
const NARROWEST = 1 / 2500; // of the whole width
const DRAWN_MAX = 6000;
const LABEL_MIN = 0.018; // of the whole width
const SHADES = 6;

class Flame {
	constructor(rows, names) {
		this.names = names;
		this.nodes = [];
		this.root = this.newNode(-1, null);
		this.root.kind = "all";
		for (const row of rows)
			this.addRow(row);
		this.placeNodes();
		this.zoomed = this.root;
		this.focused = this.root;
		this.hits = null; // by index of a name; null: nothing is searched for
		this.matched = 0;
		this.unseen = 0;
	}

	newNode(name, parent) {
		return {
			name, parent, value: 0, depth: parent ? parent.depth + 1 : 0, kind: "",
			isWaker: false, children: new Map(), from: 0, index: 0, end: 0,
		};
	}

	nameOf(node) {
		return node.name < 0 ? "all" : this.names[node.name];
	}

	addRow(row) {
		let node = this.root;
		node.value += row.value;
		for (const name of row.path) {
			let child = node.children.get(name);
			if (!child) {
				child = this.newNode(name, node);
				child.isWaker = node.isWaker || this.names[name] === "--";
				child.kind = this.kindOf(child);
				node.children.set(name, child);
			}
			child.value += row.value;
			node = child;
		}
		row.node = node;
	}

	kindOf(node) {
		const name = this.names[node.name];
		if (node.depth === 1)
			return "process";
		if (/^\[(truncated|guessed|no stack)\]$/.test(name))
			return "flaw";
		if (/^\[.*\]$/.test(name))
			return "wait";
		if (name.endsWith("_[k]"))
			return "kernel";
		if (node.isWaker)
			return "waker";
		let hash = 0;
		for (let i = 0; i < name.length; i++)
			hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
		return `shade${hash % SHADES}`;
	}

	// Stacks can be deeper than what a script may recurse.
	placeNodes() {
		const todo = [this.root];
		while (todo.length) {
			const node = todo.pop();
			node.index = this.nodes.length;
			this.nodes.push(node);
			const children = [...node.children.values()].sort((a, b) => b.value - a.value ||
				(this.nameOf(a) < this.nameOf(b) ? -1 : 1));
			let from = node.from;
			for (const child of children) {
				child.from = from;
				from += child.value;
			}
			node.children = children;
			for (let i = children.length - 1; i >= 0; i--)
				todo.push(children[i]);
		}
		for (let i = this.nodes.length - 1; i >= 0; i--) {
			const node = this.nodes[i], last = node.children[node.children.length - 1];
			node.end = last ? last.end : i + 1;
		}
	}

	contains(outer, inner) {
		return inner.index >= outer.index && inner.index < outer.end;
	}

	pathOf(node) {
		const path = [];
		for (; node.parent; node = node.parent)
			path.push(this.nameOf(node));
		return path.reverse();
	}

	// Returns the node that @path leads to, or the last on the way.
	find(path) {
		let node = this.root;
		for (const name of path) {
			const child = node.children.find(one => this.nameOf(one) === name);
			if (!child)
				break;
			node = child;
		}
		return node;
	}

	isHit(node) {
		return this.hits !== null && node.name >= 0 && this.hits[node.name];
	}

	// What lies within a hit is not counted again.
	sumHits() {
		let sum = 0;
		for (let i = this.zoomed.index; i < this.zoomed.end;) {
			const node = this.nodes[i];
			const hit = this.isHit(node);
			if (hit)
				sum += node.value;
			i = hit ? node.end : i + 1;
		}
		return sum;
	}

	// Returns what there is room for below the zoomed node, callers before callees.
	visibleNodes() {
		const narrowest = this.zoomed.value * NARROWEST;
		const visible = [];
		this.unseen = 0;
		for (let i = this.zoomed.index; i < this.zoomed.end;) {
			const node = this.nodes[i];
			if (node.value >= narrowest && node.value > 0) {
				visible.push(node);
				i++;
			} else {
				this.unseen += node.end - i;
				i = node.end;
			}
		}
		if (visible.length <= DRAWN_MAX)
			return visible;
		// No callee is wider than its caller, and the order of equals stays.
		this.unseen += visible.length - DRAWN_MAX;
		return visible.sort((a, b) => b.value - a.value).slice(0, DRAWN_MAX);
	}

	// Returns the frame of @node, of which @say tells in words.
	frame(node, left, width, say) {
		const frame = document.createElement("div");
		const above = node.depth < this.zoomed.depth;
		frame.className = `frame ${node.kind}${above ? " above" : ""}` +
			(this.isHit(node) ? " hit" : "");
		frame.style.left = `${(100 * left).toFixed(3)}%`;
		frame.style.width = `${(100 * width).toFixed(3)}%`;
		frame.style.top = `${node.depth * ROW_PX}px`;
		if (width > LABEL_MIN)
			frame.textContent = this.nameOf(node) || " ";
		frame.dataset.node = node.index;
		frame.tabIndex = node === this.focused ? 0 : -1;
		frame.setAttribute("role", "treeitem");
		frame.setAttribute("aria-level", node.depth + 1);
		frame.setAttribute("aria-label", say(node));
		return frame;
	}

	draw(graph, say) {
		const frames = [];
		let deepest = 0;
		if (!this.contains(this.zoomed, this.focused))
			this.focused = this.zoomed;
		for (let node = this.zoomed.parent; node; node = node.parent)
			frames.unshift(this.frame(node, 0, 1, say));
		for (const node of this.visibleNodes()) {
			frames.push(this.frame(node, (node.from - this.zoomed.from) / this.zoomed.value,
					       node.value / this.zoomed.value, say));
			deepest = Math.max(deepest, node.depth);
		}
		this.matched = this.sumHits();
		graph.style.height = `${(deepest + 1) * ROW_PX}px`;
		graph.replaceChildren(...frames);
	}

	// Returns where the arrow @key leads from @node; null: nowhere.
	neighbour(node, key) {
		const siblings = node.parent && node !== this.zoomed ? node.parent.children : [node];
		const at = siblings.indexOf(node);
		switch (key) {
		case "ArrowUp":
			return node.parent;
		case "ArrowDown":
			return this.contains(node, this.zoomed) && node !== this.zoomed ?
				this.find(this.pathOf(this.zoomed).slice(0, node.depth + 1)) :
				node.children[0] || null;
		case "ArrowLeft":
			return siblings[at - 1] || null;
		case "ArrowRight":
			return siblings[at + 1] || null;
		case "Home":
			return this.root;
		}
		return null;
	}
}
