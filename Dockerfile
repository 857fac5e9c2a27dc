# syntax=docker/dockerfile:1

FROM golang:1.26 AS build
WORKDIR /src
# Modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /fulfilld ./cmd/fulfilld \
 && mkdir /data

# Root certificates, time zones and a user without rights; no shell.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /fulfilld /fulfilld
# A new volume takes over the owner of what it covers.
COPY --from=build --chown=65532:65532 /data /data
# What has no path of its own is kept in data/, which is the volume.
WORKDIR /
USER 65532:65532
VOLUME /data
# The public listener is reached from outside the container, the admin listener
# is not: set FULFILLD_ADMIN_LISTEN and FULFILLD_ADMIN_HOSTS for that.
ENV FULFILLD_LISTEN=0.0.0.0:8080 \
    FULFILLD_DATABASE_URL=sqlite:///data/fulfilld.db
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/fulfilld", "health"]
ENTRYPOINT ["/fulfilld"]
CMD ["serve"]
