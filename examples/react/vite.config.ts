import { defineConfig } from "vite";

// `published.html` is the same page with the published hook, to compare.
export default defineConfig({
  esbuild: { jsx: "automatic" },
  server: { port: 5173, strictPort: true },
  build: { rollupOptions: { input: ["index.html", "published.html"] } },
});
