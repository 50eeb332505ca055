// Receives webhooks, checks their signatures, and passes each to `handle`. Needs nothing but Node 20.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
const seen = new Set();

function isSigned(headers, body) {
    const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures = "" } = headers;
    if (!(Math.abs(Date.now() / 1000 - Number(time)) < 300)) return false;
    const wanted = Buffer.from(`v1,${createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest("base64")}`);
    return signatures.split(" ").some((one) => {
        const given = Buffer.from(one);
        return given.length === wanted.length && timingSafeEqual(given, wanted);
    });
}

export function receive(handle) {
    const server = createServer(async (request, response) => {
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        const body = Buffer.concat(chunks);
        const id = request.headers["webhook-id"];
        let status = 204;
        if (!isSigned(request.headers, body)) {
            status = 401;
        } else if (!seen.has(id)) {
            try {
                await handle(JSON.parse(body));
                // A webhook may come twice; its id stays the same.
                seen.add(id);
            } catch (error) {
                console.error(error);
                // The server sends it again later.
                status = 503;
            }
        }
        response.writeHead(status).end();
    });
    server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1", () => {
        console.log(`listening on http://127.0.0.1:${server.address().port}`);
    });
}

// Posts to the service that shows messages.
export async function post(headers, body) {
    const answer = await fetch(process.env.TARGET_URL, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`the target answered ${answer.status}`);
}

// A title and a text for a webhook.
export function describe({ type, data }) {
    const { event, title } = data;
    switch (type) {
        case "permission_request":
            return [`Allow ${event.tool_name}?`, JSON.stringify(event.input ?? "(too long for a webhook)", null, 2)];
        case "result":
            return [`Turn ended: ${event.subtype}`, title ?? data.session_id];
        case "error":
            return [`Error: ${event.code}`, event.message];
        default:
            return ["The agent has a question", title ?? data.session_id];
    }
}
