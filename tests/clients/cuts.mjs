// A proxy that cuts connections in the middle of a response.
import net from "node:net";

/** Forwards to `to`, and cuts each of the first `times` connections after some bytes of its answers, more than a head has. */
export async function cutting(to, { times, least = 500, most = 1500 }) {
  const upstream = new URL(to);
  const proxy = { cuts: 0, close: () => server.close() };
  const server = net.createServer((socket) => {
    const target = net.connect(Number(upstream.port), upstream.hostname);
    let left = least + Math.floor(Math.random() * (most - least));
    socket.pipe(target);
    target.on("data", (chunk) => {
      if (proxy.cuts >= times || chunk.length < left) {
        left -= chunk.length;
        socket.write(chunk);
        return;
      }
      proxy.cuts += 1;
      target.destroy();
      socket.write(chunk.subarray(0, left), () => socket.resetAndDestroy());
    });
    socket.on("close", () => target.destroy());
    target.on("end", () => socket.end());
    for (const end of [socket, target]) end.on("error", () => {});
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  return proxy;
}
