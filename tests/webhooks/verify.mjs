// Reads webhooks from stdin, one in JSON per line, and checks each with the published verifier. Prints `true` or `false`
// for each.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
    const { secret, body, headers } = JSON.parse(line);
    let valid = true;
    try {
        new Webhook(secret).verify(body, headers);
    } catch {
        valid = false;
    }
    console.log(valid);
}
