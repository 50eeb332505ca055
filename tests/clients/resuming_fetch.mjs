// A `fetch` for clients that take one: it goes on where a dropped event stream of `RecordLayer` ended.

export async function resumingFetch(url, init) {
  const response = await fetch(url, init);
  const id = response.headers.get("stream-id");
  if (!id || !response.body) return response;
  const { signal } = init ?? {};
  const again = (last) => fetch(url, { headers: { ...init?.headers, "stream-id": id, "last-event-id": last }, signal });
  const body = new ReadableStream({
    start: (controller) => follow(response, again, controller).catch((error) => controller.error(error)),
  });
  return new Response(body, response);
}

/** Passes whole events on, and reads on after the last one whenever the connection fails. */
async function follow(response, again, controller) {
  const [decoder, encoder] = [() => new TextDecoder(), new TextEncoder()];
  let last = "";
  for (;;) {
    if (!response.ok) throw new Error(`the stream cannot be resumed: ${response.status}`);
    let [text, decode] = ["", decoder()];
    try {
      for await (const bytes of response.body) {
        text += decode.decode(bytes, { stream: true });
        const end = text.lastIndexOf("\n\n") + 2;
        if (end < 2) continue;
        last = [...text.slice(0, end).matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? last;
        controller.enqueue(encoder.encode(text.slice(0, end)));
        text = text.slice(end);
      }
      return controller.close();
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    response = await reconnect(() => again(last));
  }
}

async function reconnect(connect) {
  for (let wait = 50; ; wait = Math.min(2 * wait, 5000)) {
    try {
      return await connect();
    } catch (error) {
      if (error.name === "AbortError" || wait > 5000) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
