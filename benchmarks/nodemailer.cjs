// What nodemailer does: the same mail to the same server by its pool of connections.
//
//   node benchmarks/nodemailer.cjs LIBRARY raw|compose MATERIAL PORT MESSAGES CONNECTIONS [CA]
//
// `raw` hands finished octets over; `compose` gives it HTML and text with a reader's values in them, and it makes the
// message. The time does not count the start of node. Prints JSON.

"use strict";

const fs = require("node:fs");
const path = require("node:path");

const [library, way, folder, port, messages, connections, ca] = process.argv.slice(2);
const nodemailer = require(path.join(library, "node_modules", "nodemailer"));
const material = JSON.parse(fs.readFileSync(path.join(folder, "material.json"), "utf8"));
const content = fs.readFileSync(path.join(folder, "message.eml"));
const total = Number(messages);

const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
const fill = (pieces, shown) => pieces.map((one) => (typeof one === "string" ? one : shown(material.values[one[0]]))).join("");

function finished() {
    return { envelope: { from: material.sender, to: material.recipient }, raw: content };
}

function composed(number) {
    return {
        from: material.sender,
        to: `reader${number}@clinic${number % 50}.example.org`,
        subject: material.subject,
        text: fill(material.text, (value) => value),
        html: fill(material.html, escape),
    };
}

async function main() {
    const compose = way === "raw" ? finished : composed;
    const cpu = process.cpuUsage();
    const begun = process.hrtime.bigint();
    const pool = nodemailer.createTransport({
        pool: true,
        maxConnections: Number(connections),
        maxMessages: Infinity,
        host: "127.0.0.1",
        port: Number(port),
        secure: Boolean(ca),
        ignoreTLS: !ca,
        tls: ca ? { ca: fs.readFileSync(ca) } : {},
    });
    let next = 0;
    const worker = async () => {
        while (next < total) await pool.sendMail(compose(next++));
    };
    await Promise.all(Array.from({ length: 2 * Number(connections) }, worker)); // twice, so that none waits for work
    pool.close();
    const used = process.cpuUsage(cpu);
    const result = {
        messages: total,
        seconds: Number(process.hrtime.bigint() - begun) / 1e9,
        cpu: (used.user + used.system) / 1e6,
        rss_peak: process.resourceUsage().maxRSS / 1024,
    };
    console.log(JSON.stringify(result));
}

main().catch((problem) => {
    console.error(problem);
    process.exit(1);
});
