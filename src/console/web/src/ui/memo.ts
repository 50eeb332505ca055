// Components that are drawn again only when a property changes.

import { Component, h, type ComponentType, type JSX } from "preact";

export function memo<P extends object>(inner: (props: P) => JSX.Element | null): ComponentType<P> {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const [a, b] = [this.props as Record<string, unknown>, next as Record<string, unknown>];
      const names = Object.keys(b);
      return names.length !== Object.keys(a).length || names.some((name) => !Object.is(a[name], b[name]));
    }

    override render() {
      return h(inner as ComponentType<P>, this.props as P);
    }
  };
}
