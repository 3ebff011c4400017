'use strict';
// node-redlock 4's `Redlock` over redfence: the same methods, callbacks, promises, disposers and errors. The Python
// package, started once as `bridge.py`, makes the calls. `../node_redlock.md` says what differs.

const { spawn } = require('child_process');
const path = require('path');
const readline = require('readline');
const Promise = require('bluebird');
const Theirs = require('redlock');

let bridge;

function started() {
	if (bridge) return bridge;
	const child = spawn(process.env.REDFENCE_PYTHON || 'python3', [path.join(__dirname, 'bridge.py')], {
		stdio: ['pipe', 'pipe', 'inherit'],
	});
	bridge = { child, pending: new Map(), last: 0 };
	const mine = bridge;
	const ended = () => {
		for (const { reject } of mine.pending.values()) reject(new Error('bridge.py has ended'));
		mine.pending.clear();
		if (bridge === mine) bridge = undefined;
	};
	child.on('error', ended);
	child.on('close', ended);
	child.stdin.on('error', ended);
	readline.createInterface({ input: child.stdout }).on('line', (line) => {
		const { id, ...answer } = JSON.parse(line);
		const asked = mine.pending.get(id);
		mine.pending.delete(id);
		if (asked && answer.error !== undefined) asked.reject(new Error(answer.error));
		else if (asked) asked.resolve(answer);
		if (mine.pending.size === 0) child.stdout.unref();
	});
	// It ends with this process, and does not keep it alive.
	child.unref();
	child.stdin.unref();
	return bridge;
}

function call(request) {
	return new Promise((resolve, reject) => {
		const { child, pending } = started();
		const id = ++bridge.last;
		pending.set(id, { resolve, reject });
		child.stdout.ref();
		child.stdin.write(JSON.stringify({ id, ...request }) + '\n');
	});
}

function urlOf(client) {
	const to = client.connection_options || client.options;
	const db = client.selected_db === undefined ? client.options.db : client.selected_db;
	return `redis://${to.host || '127.0.0.1'}:${to.port || 6379}/${db || 0}`;
}

class Redlock extends Theirs {
	constructor(clients, options) {
		super(clients, options);
		this.nodes = clients.map(urlOf);
	}

	// One call for each name; `holders` are what the lock was acquired as. Gives the answers.
	async _each(verb, names, holders, ttl) {
		const answers = [];
		for (const [i, name] of names.entries()) {
			const answer = await call({ verb, nodes: this.nodes, name, holder: holders && holders[i], ttl });
			for (const failure of answer.failures || []) this.emit('clientError', new Error(failure));
			answers.push(answer);
			if (!answer.ok && verb !== 'release') break;
		}
		return answers;
	}

	async _attempt(names, holders, ttl) {
		const verb = holders === null ? 'acquire' : 'extend';
		const answers = await this._each(verb, names, holders, ttl);
		if (answers.every((answer) => answer.ok)) {
			return { holders: holders || answers.map((one) => one.holder), ends: Math.min(...answers.map((one) => one.ends)) };
		}
		// All or none.
		const taken = answers.filter((answer) => answer.ok);
		if (holders === null) await this._each('release', names.slice(0, taken.length), taken.map((one) => one.holder));
		return null;
	}

	async _attempts(names, holders, ttl, options) {
		const retryCount = options.retryCount || this.retryCount;
		const retryDelay = options.retryDelay || this.retryDelay;
		for (let attempts = 1; ; attempts++) {
			const done = await this._attempt(names, holders, ttl);
			if (done) return new Theirs.Lock(this, names, done.holders, done.ends, attempts, retryCount - attempts);
			if (retryCount !== -1 && attempts > retryCount) {
				throw new Theirs.LockError(`Exceeded ${retryCount} attempts to lock the resource "${names}".`, attempts);
			}
			await Promise.delay(Math.max(0, retryDelay + Math.floor((Math.random() * 2 - 1) * this.retryJitter)));
		}
	}

	_lock(resource, value, ttl, options, callback) {
		if (typeof options === 'function' && callback === undefined) [options, callback] = [{}, options];
		return Promise.resolve(this._attempts([].concat(resource), value, ttl, options || {})).nodeify(callback);
	}

	unlock(lock, callback) {
		lock.expiration = 0;
		const released = this._each('release', [].concat(lock.resource), lock.value).then((answers) => {
			if (answers.every((answer) => answer.ok)) return;
			throw new Theirs.LockError(`Unable to fully release the lock on resource "${lock.resource}".`);
		});
		return Promise.resolve(released).nodeify(callback);
	}
}

Redlock.prototype.release = Redlock.prototype.unlock;

module.exports = Redlock;
