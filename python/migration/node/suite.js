'use strict';
// Required by mocha before node-redlock's tests: they get our `Redlock` in place of theirs. They want a server at port
// 6379 and take its databases 0 to 3 for servers, which a quorum must not: each is led to a server of its own, and the
// keys that they look at to ours.

const Module = require('module');
const path = require('path');
const redis = require('redis');

const ports = process.env.REDFENCE_SUITE_PORTS.split(',').map(Number);
const keys = JSON.parse(process.env.REDFENCE_SUITE_KEYS);
const to = (options) => ({ ...options, host: '127.0.0.1', port: ports[(options && options.db) || 0], db: 0 });
const led = (args) => args.map((one) => (Array.isArray(one) ? led(one) : keys[one] || one));

const createClient = redis.createClient;
redis.createClient = (options) => createClient(to(options));
for (const verb of ['sadd', 'del']) {
	const send = redis.RedisClient.prototype[verb];
	redis.RedisClient.prototype[verb] = function (...args) { return send.apply(this, led(args)); };
}

const Ioredis = require('ioredis');
class Led extends Ioredis {
	constructor(options) { super(to(options)); }
	sadd(...args) { return super.sadd(...led(args)); }
	del(...args) { return super.del(...led(args)); }
}

const load = Module._load;
Module._load = function (request, parent, ...more) {
	const isTheirs = parent && parent.filename && parent.filename.endsWith(path.join('redlock', 'test.js'));
	if (isTheirs && request === './redlock') return load.call(this, path.join(__dirname, 'redlock.js'), parent, ...more);
	if (isTheirs && request === 'ioredis') return Led;
	return load.call(this, request, parent, ...more);
};
