// Reads pushes from stdin, one in JSON per line, decrypts each with a published decoder for the device of RFC 8291, and
// checks who has signed it. Prints the notification and the claims of each, or why it is none.
import { createECDH, createPublicKey, verify } from "node:crypto";
import { createInterface } from "node:readline";
import ece from "http_ece";

const device = createECDH("prime256v1");
device.setPrivateKey("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94", "base64url");

/** Returns the claims of a token that the owner of this public key has signed. */
function claimsOf(token, key) {
    const point = Buffer.from(key, "base64url");
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((part) => part.toString("base64url"));
    const jwk = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
    const [head, claims, signature] = token.split(".");
    const signed = Buffer.from(`${head}.${claims}`);
    const by = { key: jwk, dsaEncoding: "ieee-p1363" };
    if (!verify("sha256", signed, by, Buffer.from(signature, "base64url"))) throw new Error("the signature is wrong");
    return JSON.parse(Buffer.from(claims, "base64url"));
}

for await (const line of createInterface({ input: process.stdin })) {
    const { body, headers, public_key } = JSON.parse(line);
    try {
        const [, token, key] = /^vapid t=([\w.-]+), k=([\w-]+)$/.exec(headers.authorization);
        if (key !== public_key) throw new Error("it is another server's key");
        const claims = claimsOf(token, key);
        const text = ece.decrypt(Buffer.from(body, "base64url"), {
            version: "aes128gcm",
            privateKey: device,
            authSecret: "BTBZMqHH6r4Tts7J_aSIgg",
        });
        console.log(JSON.stringify({ notification: JSON.parse(text), claims }));
    } catch (error) {
        console.log(JSON.stringify({ error: String(error) }));
    }
}
